"""Networks that a variable names are networks, or Clarion does not start."""

from ipaddress import ip_address

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.networks import networks


def test_networks_of_both_kinds_are_read() -> None:
    ten, local = networks("X", ["10.1.0.0/16", " fd00:1::/64 ", ""])
    assert ip_address("10.1.200.3") in ten
    assert ip_address("fd00:1::8") in local


@pytest.mark.parametrize("text", ["10.1.2.3/16", "inside", "*", "10.0.0.0/33"])
def test_what_is_none_is_refused_with_the_variable_s_name(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"CLARION_WEBHOOK_NETWORKS: .*such as 10\.1\.0\.0/16"):
        networks("CLARION_WEBHOOK_NETWORKS", [text])
