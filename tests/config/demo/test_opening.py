"""Services keep the demo closed unless an operator opens it, with a key that the demo can post with."""

from pathlib import Path

import pytest

from tests.config.processes import Up
from tests.config.test_services import check, setting

KEY = "clk_" + "d" * 20 + "-and-more-of-it-that-is-not-repeated"


@pytest.mark.parametrize(("given", "is_open"), [("", "False"), ("0", "False"), ("1", "True")])
def test_on_services_the_demo_is_open_only_by_choice(given: str, is_open: str) -> None:
    changes = {"CLARION_DEMO": given} if given else {}
    assert setting("s.CLARION_DEMO", **changes) == is_open


def test_an_open_demo_without_a_key_does_not_start() -> None:
    result = check(CLARION_DEMO="1")
    assert result.returncode == 1
    assert "CLARION_DEMO is on, but CLARION_DEMO_KEY is not set" in result.stderr
    assert "installdemo" in result.stderr


def test_a_short_key_does_not_start() -> None:
    result = check(CLARION_DEMO="1", CLARION_DEMO_KEY="short")
    assert result.returncode == 1
    assert "CLARION_DEMO_KEY has 5 characters" in result.stderr


def test_an_open_demo_with_a_key_starts() -> None:
    assert check(CLARION_DEMO="1", CLARION_DEMO_KEY=KEY).returncode == 0


def test_no_demo_leaves_it_out_even_where_it_was_before(tmp_path: Path) -> None:
    with Up(tmp_path) as first:
        assert first.get("/play/").status_code == 200
        first.stop()
    with Up(tmp_path, "--no-demo") as second:
        assert "/play/" not in second.printed
        assert second.get("/play/").status_code == 404
        assert second.get("/").headers["location"] == "/admin/"
        second.stop()
