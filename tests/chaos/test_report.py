"""The page on the chaos suite's runs."""

from typing import Any

from tests.chaos.report import RUNS, SCENARIOS, page

FIGURES = {
    "events": 10, "unknown": 0, "repeats": 0, "shown": 5, "closings": {1006: 2}, "fault_s": 1, "before": {},
    "fault": {"urgent": [3, 9, 11]}, "seconds": 3,
}  # fmt: skip


def told(form: str, seed: int, wrong: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "scenario": f"test_{n:02}_poison", "form": form, "seed": seed, "wrong": ["lost"] * wrong,
            "recovered_s": n / 2, "normal_ms": 3, "figures": FIGURES,
        }
        for n in range(1, SCENARIOS + 1)
    ]  # fmt: skip


def test_every_run_stays_in_one_line_and_the_last_long_one_in_full() -> None:
    first = page("", told("long", 11), ["PostgreSQL 15"], minutes=18, passed=True)
    second = page(first, told("short", 22), ["PostgreSQL 15"], minutes=9, passed=True)
    third = page(second, told("long", 33), ["PostgreSQL 15"], minutes=19, passed=True)
    assert second.startswith(first), "a short run is a line, and nothing else"
    assert "CHAOS_SEED=33 make chaos" in third
    assert "CHAOS_SEED=11" not in third
    lines = third.partition(RUNS)[2].strip().splitlines()[2:]
    assert [line.split(" | ")[2:5] for line in lines] == [
        ["long", "11", "13"], ["short", "22", "13"], ["long", "33", "13"],
    ]  # fmt: skip
    assert all("6.5 s" in line and "all promises were kept" in line for line in lines)


def test_what_was_lost_or_did_not_run_is_not_called_kept() -> None:
    for run, passed in ((told("long", 1, wrong=2), False), (told("long", 1)[1:], True)):
        text = page("", run, [], minutes=1, passed=passed)
        assert text.count("not all of it passed") == 2
        assert "all promises were kept" not in text
