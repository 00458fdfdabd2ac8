"""Checks run one after the other: none hides another, none hangs the whole, and the exit code says how it was."""

import json
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.doctor import catalogue, report, running
from config.doctor.check import Check, Target
from config.doctor.finding import Finding, Level, fail, not_run, ok, warn
from config.management.commands import doctor

SERVICES = Target(services=True)
SECRET = "hunter2-is-the-password"


class Made(Check):
    """Says what it is told to say."""

    def __init__(self, name: str, *findings: Finding, needs: tuple[str, ...] = (), **also: Any) -> None:
        self.name, self.needs, self._findings = name, needs, findings
        self.__dict__.update(also)

    def look(self, target: Target) -> Iterator[Finding]:
        yield from self._findings


class Crashing(Check):
    name = "made.crashing"

    def look(self, target: Target) -> Iterator[Finding]:
        yield ok("it began")
        raise RuntimeError(f"the URL is amqp://user:{SECRET}@rabbitmq")


class Hanging(Check):
    name = "made.hanging"
    patience_s = 0.2

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def look(self, target: Target) -> Iterator[Finding]:
        yield ok("it asked")
        self.let_go.wait(20)


def examined(*checks: Check, target: Target = SERVICES) -> dict[str, list[tuple[Level, str]]]:
    return {
        each.check.name: [(found.level, found.text) for found in each.findings]
        for each in running.examine(checks, target)
    }


def told(monkeypatch: pytest.MonkeyPatch, *checks: Check, **options: Any) -> tuple[str, int]:
    """Run the command over these checks; return what it printed and its exit code."""
    monkeypatch.setattr(doctor, "CHECKS", checks)
    out = StringIO()
    try:
        call_command("doctor", stdout=out, **options)
    except SystemExit as ended:
        return out.getvalue(), int(str(ended.code))
    return out.getvalue(), 0


def test_one_that_crashes_fails_itself_and_hides_no_other() -> None:
    found = examined(Made("a.before", ok("fine")), Crashing(), Made("a.after", ok("fine too")))
    assert found["a.before"] == [(Level.OK, "fine")]
    assert found["a.after"] == [(Level.OK, "fine too")]
    began, broke = found["made.crashing"]
    assert began == (Level.OK, "it began")
    assert broke[0] is Level.FAIL
    assert "made.crashing broke off: RuntimeError in look, line" in broke[1]


def test_the_text_of_a_crash_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({}, {"json": True}):
        out, code = told(monkeypatch, Crashing(), **options)
        assert code == 1
        assert SECRET not in out


def test_one_that_hangs_is_given_up_keeps_what_it_had_said_and_holds_up_no_other() -> None:
    hanging = Hanging()
    try:
        found = examined(hanging, Made("a.after", ok("fine")))
    finally:
        hanging.let_go.set()
    asked, hung = found["made.hanging"]
    assert asked == (Level.OK, "it asked")
    assert hung[0] is Level.FAIL
    assert "did not come to an end within 0 s" in hung[1]
    assert found["a.after"] == [(Level.OK, "fine")]


def test_what_stands_on_something_that_failed_is_not_run_all_the_way_up() -> None:
    found = examined(
        Made("a.first", fail("down", "start it")),
        Made("a.second", ok("never said"), needs=("a.first",)),
        Made("a.third", ok("never said"), needs=("a.second",)),
        Made("a.fourth", ok("fine")),
    )
    assert found["a.second"] == [(Level.NOT_RUN, "it needs a.first to be well")]
    assert found["a.third"] == [(Level.NOT_RUN, "it needs a.second to be well")]
    assert found["a.fourth"] == [(Level.OK, "fine")]


def test_a_warning_is_no_reason_not_to_go_on() -> None:
    found = examined(
        Made("a.first", warn("slow", "bring it nearer")), Made("a.b", ok("fine"), needs=("a.first",))
    )
    assert found["a.b"] == [(Level.OK, "fine")]


def test_what_makes_no_sense_here_is_left_out() -> None:
    only = Made("a.services", ok("fine"), ways=frozenset({"services"}))
    assert examined(only, target=Target(services=False)) == {}
    assert "a.services" in examined(only)


def test_one_that_finds_nothing_at_all_is_not_taken_for_healthy() -> None:
    ((level, text),) = examined(Made("a.mute"))["a.mute"]
    assert level is Level.FAIL
    assert "nothing to say" in text


@pytest.mark.parametrize(
    ("finding", "strict", "code"),
    [
        (ok("fine"), False, 0),
        (ok("fine"), True, 0),
        (warn("slow", "hurry"), False, 0),
        (warn("slow", "hurry"), True, 1),
        (fail("down", "start it"), False, 1),
        (not_run("no --url", "give one"), True, 0),
    ],
)
def test_the_exit_code_is_1_on_a_failure_and_with_strict_on_a_warning(
    monkeypatch: pytest.MonkeyPatch, finding: Finding, strict: bool, code: int
) -> None:
    for json_too in (False, True):
        assert told(monkeypatch, Made("a.one", finding), strict=strict, json=json_too)[1] == code


def test_lines_stand_below_their_group_each_problem_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = told(
        monkeypatch,
        Made("cable.length", ok("3 m"), warn("frayed", "buy another")),
        Made("cable.plug", fail("out", "plug it in")),
        Made("lamp.light", not_run("no --url", "give one")),
    )
    assert out.splitlines() == [
        "cable",
        "  ok      length        3 m",
        "  warn    length        frayed",
        "                        -> buy another",
        "  FAIL    plug          out",
        "                        -> plug it in",
        "lamp",
        "  not run light         no --url",
        "                        -> give one",
        "",
        "1 ok, 1 warn, 1 FAIL, 1 not run",
    ]


def test_the_json_has_the_shape_that_readme_describes(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = told(monkeypatch, Made("cable.plug", fail("out", "plug it in", length_m=3)), json=True)
    said = json.loads(out)
    assert said.pop("mode") in {"services", "embedded"}
    assert said == {
        "version": report.VERSION,
        "healthy": False,
        "counts": {"ok": 0, "warn": 0, "fail": 1, "not_run": 0},
        "findings": [
            {
                "check": "cable.plug",
                "level": "fail",
                "text": "out",
                "advice": "plug it in",
                "values": {"length_m": 3},
            }
        ],
    }


def test_only_runs_what_is_named_and_all_that_it_needs() -> None:
    first, second = Made("a.first", ok("1")), Made("a.second", ok("2"), needs=("a.first",))
    third, fourth = Made("b.third", ok("3"), needs=("a.second",)), Made("b.fourth", ok("4"))
    checks = [first, second, third, fourth]
    assert running.chosen(checks, []) == checks
    assert running.chosen(checks, ["b.third"]) == [first, second, third]
    assert running.chosen(checks, ["a"]) == [first, second]


def test_a_name_that_no_check_has_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match=r"there is no check 'databse'; there are: settings.mode, "):
        call_command("doctor", only=["databse"])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("clarion.example.com", "must be a web address"),
        ("ftp://clarion.example.com", "must be a web address"),
        (f"https://olive:{SECRET}@clarion.example.com", "must not hold a user or a password"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        call_command("doctor", url=url)
    assert SECRET not in str(refused.value)


def test_names_are_unique_and_what_is_needed_comes_earlier() -> None:
    seen: set[str] = set()
    for check in catalogue.CHECKS:
        assert check.name not in seen
        assert set(check.needs) <= seen, check.name
        seen.add(check.name)
