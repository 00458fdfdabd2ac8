"""The runbook has an entry for every kind, the links lead there, and what it tells one to run exists."""

import re

import pytest
from django.core.management import get_commands

from config.console.runbook import path, rendered
from config.watch import messages
from config.watch.kinds import ALL, Kind
from tests.config.processes import ROOT

TEXT = path().read_text()
PAGE = str(rendered(TEXT))
ANCHORS = set(re.findall(r'<h\d id="([^"]+)">', PAGE))
MANAGE = re.compile(r"manage\.py ([a-z]+)")
METRIC = re.compile(r"clarion_[a-z_]+")
OTHERS = frozenset({"psql", "celery", "rabbitmqctl", "redis-cli", "df", "date", "timedatectl"})
"""What comes with the servers, and with every machine."""


def entry(kind: Kind) -> str:
    return TEXT.partition(f"\n## {kind.title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_every_kind_has_an_entry_that_says_all_one_needs(kind: Kind) -> None:
    assert kind.anchor in ANCHORS
    assert messages.runbook(kind.name).endswith(f"/admin/runbook/#{kind.anchor}")
    starts = [line.split(":")[0].split(" ")[0] for line in entry(kind).splitlines() if line]
    for part in ("Players", "Confirm", "Do", "Don't", "Over"):
        assert part in starts, f"{kind.title} has no {part!r}"


def test_no_entry_is_about_a_kind_that_does_not_exist() -> None:
    assert set(re.findall(r"^## (.+)$", TEXT, re.MULTILINE)) == {kind.title for kind in ALL}


def test_links_inside_the_runbook_lead_to_entries() -> None:
    assert set(re.findall(r'href="#([^"]+)"', PAGE)) <= ANCHORS


def test_the_commands_that_it_names_exist() -> None:
    assert set(MANAGE.findall(TEXT)) <= get_commands().keys()
    named = {code.split(" ")[0] for code in re.findall(r"`([a-z-]+ [^`]+)`", TEXT)}
    assert named - OTHERS == {"manage.py"} & named


def test_the_metrics_that_it_names_exist() -> None:
    sources = "".join(
        file.read_text()
        for room in ("config", "events", "players", "notifications")
        for file in (ROOT / room).rglob("*.py")
    )
    missing = [name for name in METRIC.findall(TEXT) if name.removesuffix("_total") not in sources]
    assert missing == []


def test_markdown_becomes_html_and_nothing_in_it_becomes_a_tag() -> None:
    html = str(rendered("# A <b>\n\nSee [B](#b) & **do** `x < y`.\n\n- one\n- two\n\n```\na\n\n<i>\n```\n"))
    assert '<h1 id="a-b">A &lt;b&gt;</h1>' in html
    assert (
        'See <a class="console-link" href="#b">B</a> &amp; <strong>do</strong> <code>x &lt; y</code>.' in html
    )
    assert "<li>one</li><li>two</li>" in html
    assert "a\n\n&lt;i&gt;</pre>" in html
    assert "javascript:" not in str(rendered("[x](javascript:alert)")).replace("[x](javascript:alert)", "")
