"""Clients keep the protocol, and whoever breaks a rule is noticed."""

import asyncio
import shlex
import sys
from pathlib import Path

import pytest

from tests.contracts import conformance
from tests.contracts.player_socket import line
from tests.contracts.player_socket.cases import CASES

HERE = Path(__file__).parent
PYTHON = shlex.join([sys.executable, str(HERE / "client.py")])
JAVASCRIPT = shlex.join(["node", str(HERE / "client.mjs")])


def report(command: str, *names: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run cases as the script does; return how many failed, and what was printed."""
    failed = asyncio.run(conformance.run_all(command, list(names) or list(CASES), verbose=True))
    return failed, capsys.readouterr().out


@pytest.mark.needs("node")
def test_clarions_javascript_client_conforms(capsys: pytest.CaptureFixture[str]) -> None:
    failed, printed = report(JAVASCRIPT, capsys=capsys)
    assert not failed, printed


def test_a_client_in_another_language_conforms(capsys: pytest.CaptureFixture[str]) -> None:
    failed, printed = report(PYTHON, capsys=capsys)
    assert not failed, printed


BREACHES = {
    "token-in-the-url": "connects",
    "says-nothing": "says-something-at-every-heartbeat",
    "chokes": "ignores-what-it-does-not-know",
    "never-acks": "acks-what-it-has-stored",
    "shows-repeats": "drops-what-it-has-had",
    "stops-short": "goes-to-the-end-of-a-range",
    "jumps": "asks-for-what-is-missing",
    "trusts-hints": "asks-when-a-heartbeat-tells-more",
    "shows-what-is-gone": "shows-nothing-that-is-gone",
    "own-clock": "shows-nothing-expired-by-a-clock-that-is-behind",
    "follows-no-announcements": "follows-announcements",
    "never-resumes": "resumes-after-a-cut",
    "forgets": "remembers-after-a-restart",
    "forgets-at-reset": "starts-over-when-it-is-reset",
    "ignores-bye": "comes-back-as-bye-hints",
    "waits-for-ever": "comes-back-when-heartbeats-stay-out",
    "keeps-its-token": "gets-a-token-when-its-own-has-expired",
    "never-stops": "stops-at-4001",
}


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not going to happen is waited for as well."""
    monkeypatch.setattr(line, "PATIENCE_S", 3.0)


@pytest.mark.usefixtures("little_patience")
def test_each_rule_that_a_client_breaks_is_noticed() -> None:

    async def notice() -> list[str]:
        turns = asyncio.Semaphore(conformance.AT_ONCE)

        async def one(rule: str, name: str) -> str:
            async with turns:
                problem, _ = await conformance.run(f"{PYTHON} {rule}", name)
            return "" if problem else rule

        return [each for each in await asyncio.gather(*(one(*pair) for pair in BREACHES.items())) if each]

    assert asyncio.run(notice()) == []


@pytest.mark.usefixtures("little_patience")
def test_the_report_names_each_case_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    failed, printed = report("true", "connects", capsys=capsys)
    assert failed == 1
    assert "FAILED connects: it did not connect within" in printed
    assert "0 of 1 cases passed" in printed


def test_every_case_says_what_it_asks_for() -> None:
    assert all(case.__doc__ for case in CASES.values())
    assert set(BREACHES.values()) <= CASES.keys()
