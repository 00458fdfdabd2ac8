"""The Dead letters screen: groups, a group, a letter; levers that name the exact count and ask why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.hubs.letters import groups as reading
from events.hubs.letters import rounds, work
from events.hubs.letters.failing import failure
from events.hubs.letters.retrying import retry
from events.hubs.letters.steering import retry_group
from events.lanes import Lane
from events.models import DeadLetter, Event, Game, LetterState, OutboxEvent, RetryRound, Skip
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.events.hubs.letters.parked import Poison, given_parked, more
from tests.given import given_game
from tests.plans import indexes_of, no_scan_because_it_is_small, recorded, sorts
from tests.staff import Console, address, given_staff, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)

STREAMS = ("alice", "bob", "carol")
LIST = "events_deadletter"


@pytest.fixture
def parked(recording_hub: MakeHub) -> tuple[Poison, Game]:  # noqa: F811 - the fixture
    """Three streams parked at their first event by one fault; two more events wait behind each."""
    poison = Poison(*[(stream, 1) for stream in STREAMS])
    game, _ = given_parked(recording_hub, poison, STREAMS, slug="alpha")
    return poison, game


def group_page(verb: str = "", hub: str = "recorder") -> str:
    letter = DeadLetter.objects.filter(hub=hub)[0]
    name = "admin:events_deadletter_group"
    if verb:
        return reverse(f"{name}_lever", args=[hub, letter.fingerprint or "-", verb])
    return reverse(name, args=[hub, letter.fingerprint or "-"])


def seen_on(page: Any) -> str:
    """Return what a page that asks brings back of what it has shown."""
    return str(page.context["form"]["seen"].value())


def confirmed(console: Console, path: str, reason: str = "mended") -> Any:
    """Look at what is asked, give a reason and send it."""
    asked = console.get(path)
    assert asked.status_code == 200, asked.status_code
    return console.post(path, {"reason": reason, "seen": seen_on(asked)}, follow=True)


def staff_events(what: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(type=f"staff.deadletter.{what}").order_by("id")
    return [orjson.loads(str(row.data)) for row in rows]


def listed(console: Console, **query: Any) -> dict[str, dict[str, Any]]:
    """Return the groups that the list shows, by cause."""
    page = console.listed(LIST, **query)
    assert page.status_code == 200
    return {line.group.sample.cause: line.cells for line in page.context["page"].lines}


# -- the list ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parked")
def test_letters_that_failed_alike_are_one_line_with_exact_numbers() -> None:
    console = olive()
    DeadLetter.objects.filter(stream="carol").update(resolved=datetime.now(UTC))
    retry([DeadLetter.objects.get(stream="bob")], by="olive", reason="to see")
    page = text(console.listed(LIST))
    (cells,) = listed(console).values()
    assert [cells[name] for name in ("waiting", "retrying", "resolved", "skipped")] == ["1", "1", "1", "0"]
    assert cells["streams"] == "2 streams"
    assert "ValueError in __call__, parked.py" in page
    assert "recorder · level.reached" in page
    assert ">alpha</a>" in page
    assert address(DeadLetter.objects.get(stream="alice")) in page
    assert group_page() in page


def test_an_empty_list_says_what_would_appear() -> None:
    page = text(olive().listed(LIST))
    assert "Nothing is parked." in page
    assert "Show what was resolved or skipped" in page


def numbers(told: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return what a page or an answer says but for the times, which pass."""
    timeless = ("waiting", "retrying", "resolved", "skipped", "streams")
    return [(group["key"], [group["cells"][name] for name in timeless]) for group in told["groups"]]


def test_the_live_answer_says_the_same_as_the_page(parked: tuple[Poison, Game]) -> None:
    console, path = olive(), reverse("admin:events_deadletter_live")
    before = numbers(orjson.loads(console.get(path).content))
    assert before == numbers(console.listed(LIST).context["first"])
    assert before[0][1] == ["3", "0", "0", "0", "3 streams"]
    parked[0].places.clear()
    retry([DeadLetter.objects.get(stream="alice")], by="olive", reason="to see")
    work.work_for(60)
    assert numbers(orjson.loads(console.get(path).content))[0][1] == ["2", "0", "1", "0", "2 streams"]


def given_letter(game: Game, stream: str, **fields: Any) -> DeadLetter:
    partition = game.partition_rows.all()[0]
    now = datetime.now(UTC)
    return DeadLetter.objects.create(
        **{
            "hub": "recorder", "game": game, "partition": partition, "lane": Lane.NORMAL, "stream": stream,
            "version": 1, "event_offset": 1, "event_type": "level.reached", "cause": "KeyError",
            "fingerprint": "f" * 16, "traceback": "", "tries": 3, "created": now, "last_failed": now, **fields,
        }
    )  # fmt: skip


def test_filters_and_search_find_groups(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    recording_hub()
    alpha, beta = given_game("alpha"), given_game("beta")
    old, now = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC)
    given_letter(alpha, "s1")
    given_letter(beta, "s2", cause="OldError", fingerprint="a" * 16, last_failed=old)
    given_letter(beta, "s3", cause="GoneError", fingerprint="b" * 16, resolved=now)
    given_letter(beta, "s4", cause="LeftError", fingerprint="c" * 16, resolved=now, skipped=True)
    given_letter(beta, "s5", hub="other", cause="OtherError", fingerprint="d" * 16, asked_by="vera")
    console = olive()
    expected: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"KeyError", "OldError", "OtherError"}),
        ({"state": "all"}, {"KeyError", "OldError", "OtherError", "GoneError", "LeftError"}),
        ({"state": "waiting"}, {"KeyError", "OldError"}),
        ({"state": "retrying"}, {"OtherError"}),
        ({"state": "resolved"}, {"GoneError"}),
        ({"state": "skipped"}, {"LeftError"}),
        ({"game__id__exact": alpha.pk}, {"KeyError"}),
        ({"hub": "other"}, {"OtherError"}),
        ({"age": "day"}, {"KeyError", "OtherError"}),
        ({"age": "older-day"}, {"OldError"}),
        ({"q": "olderr"}, {"OldError"}),
        ({"q": "s1"}, {"KeyError"}),
        ({"q": "s4", "state": "all"}, {"LeftError"}),
        ({"q": "ddd"}, {"OtherError"}),
        ({"q": "level.reached", "game__id__exact": alpha.pk}, {"KeyError"}),
        (
            {"state": "drop", "age": "x", "game__id__exact": "x", "p": "x"},
            {"KeyError", "OldError", "OtherError"},
        ),
    ]
    for query, causes in expected:
        assert set(listed(console, **query)) == causes, query
    assert "Nothing matches" in text(console.listed(LIST, q="nobody"))


def test_a_filter_by_game_counts_that_game_alone(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    recording_hub()
    alpha, beta = given_game("alpha"), given_game("beta")
    for number in range(3):
        given_letter(alpha, f"s{number}")
    given_letter(beta, "s1")
    console = olive()
    assert listed(console)["KeyError"]["waiting"] == "4"
    assert listed(console, game__id__exact=beta.pk)["KeyError"]["waiting"] == "1"


def given_many(game: Game, groups: int, each: int) -> None:
    partition, now = game.partition_rows.all()[0], datetime.now(UTC)
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                hub="recorder", game=game, partition=partition, lane=Lane.NORMAL, stream=f"s{group}-{number}",
                version=1, event_offset=1, event_type="level.reached", cause=f"Error{group}",
                fingerprint=f"{group:016x}", traceback="", tries=3, created=now, next_retry=now + timedelta(hours=1),
            )
            for group in range(groups)
            for number in range(each)
        ],
        batch_size=2_000,
    )  # fmt: skip


def analyzed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events_deadletter")


def test_the_list_steps_through_an_index_whatever_there_is(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording_hub()
    console = olive()
    game = given_game("alpha")
    given_many(game, groups=1, each=1)
    group = group_page()
    with CaptureQueriesContext(connection) as few:
        console.listed(LIST)
        console.get(group)
    DeadLetter.objects.all().delete()
    given_many(game, groups=30, each=100)
    analyzed()
    with recorded(monkeypatch) as statements, CaptureQueriesContext(connection) as many:
        page = console.listed(LIST)
        console.get(group)
    assert (page.context["page"].total, len(page.context["page"].lines)) == (30, 25)
    assert len(many) <= len(few)
    about = [each for each in statements if "events_deadletter" in each[0]]
    stepping = [each for each in about if each[0].startswith("WITH")]
    assert len(stepping) == 4, "parts and numbers, of the list and of the group"
    with no_scan_because_it_is_small():
        for each in about:
            assert not {"SCAN d", "SCAN events_deadletter"} & indexes_of(each), each[0]
        for each in stepping:
            assert not sorts(each), each[0]
            assert "dead_letter_group" in indexes_of(each)


def test_what_is_too_many_to_count_says_more_than(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording_hub()
    monkeypatch.setattr(reading, "COUNT_MAX", 20)
    given_many(given_game("alpha"), groups=1, each=21)
    cells = listed(olive())["Error0"]
    assert (cells["waiting"], cells["streams"]) == ("more than 20", "more than 20 streams")


# -- a group, and a letter ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("parked")
def test_a_groups_page_shows_cause_traceback_time_line_and_its_letters() -> None:
    page = text(olive().get(group_page()))
    for shown in (
        "ValueError in __call__",
        "parked.py",
        "first parked",
        "one failed last",
        "Retry all…",
        "Skip all…",
    ):
        assert shown in page
    for letter in DeadLetter.objects.all():
        assert address(letter) in page
    assert '<td data-label="Waiting">3</td>' in page, "the failing one and two behind it"


def test_a_groups_letters_are_paged_and_narrowed_by_state(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    recording_hub()
    game = given_game("alpha")
    given_many(game, groups=1, each=30)
    DeadLetter.objects.filter(stream="s0-7").update(resolved=datetime.now(UTC))
    console = olive()
    first, second = (console.get(group_page(), p=number) for number in (1, 2))
    assert [len(page.context["letters"]) for page in (first, second)] == [25, 5]  # type: ignore[attr-defined]
    narrowed = console.get(group_page(), state="resolved")
    assert [each.row.stream for each in narrowed.context["letters"]] == ["s0-7"]  # type: ignore[attr-defined]
    assert console.get(reverse("admin:events_deadletter_group", args=["recorder", "0"])).status_code == 404


def test_neither_payloads_nor_what_an_error_said_are_shown(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    secret = "alice@example.org"
    given_parked(recording_hub, Poison(("s", 1), error=lambda: ValueError(secret)))
    console = olive()
    for page in (console.listed(LIST), console.get(group_page()), console.page(DeadLetter.objects.get())):
        assert secret not in text(page)
    assert secret not in str(failure("recorder", ValueError(secret)))


@pytest.mark.usefixtures("parked")
def test_a_letters_page_tells_its_history_and_what_waits() -> None:
    letter = DeadLetter.objects.get(stream="bob")
    console = olive()
    retry([letter], by="olive", reason="to see")
    assert "now, asked for by olive" in text(console.page(letter))
    work.work_for(60)
    page = text(console.page(letter))
    for shown in (
        "3 events, the failing one included",
        "failed again: ValueError",
        "<td>olive</td>",
        "parked",
    ):
        assert shown in page


# -- levers ------------------------------------------------------------------------------------------------


def test_one_letter_is_retried_for_a_reason(parked: tuple[Poison, Game]) -> None:
    parked[0].places.clear()
    console, letter = olive(), DeadLetter.objects.get(stream="bob")
    path = address(letter, "retry_this")
    assert "3 events wait, the failing one included" in text(console.get(path))
    done = confirmed(console, path)
    assert said(done) == ["1 dead letter is due now. Workers take it up within seconds."]
    work.work_for(60)
    letter.refresh_from_db()
    assert letter.resolved
    assert staff_events("retried") == [
        {
            "by": "olive",
            "hub": "recorder",
            "lane": "normal",
            "stream": "bob",
            "version": 1,
            "reason": "mended",
        }
    ]


def test_all_letters_of_a_stream_are_retried(parked: tuple[Poison, Game]) -> None:
    letter = DeadLetter.objects.get(stream="bob")
    other = given_letter(parked[1], "bob", lane=Lane.BULK, version=2)
    done = confirmed(olive(), address(letter, "retry_stream_this"))
    assert said(done) == ["2 dead letters are due now. Workers take it up within seconds."]
    assert set(DeadLetter.objects.exclude(asked_by="")) == {letter, other}


@pytest.mark.usefixtures("parked")
def test_one_event_is_skipped_for_a_reason() -> None:
    console, letter = olive(), DeadLetter.objects.get(stream="bob")
    path = address(letter, "skip_this")
    asked = text(console.get(path))
    assert "Skip 1 event?" in asked
    assert "will never process them" in asked
    assert "2 events behind it are worked off next" in asked
    assert said(confirmed(console, path, "broken")) == ["Skipped 1 event."]
    assert Skip.objects.values_list("stream", "first", "last", "by", "reason").get() == (
        "bob", 1, 1, "olive", "broken",
    )  # fmt: skip
    assert staff_events("skipped")[0]["reason"] == "broken"


@pytest.mark.usefixtures("parked")
def test_all_that_waits_in_a_stream_is_skipped() -> None:
    console, letter = olive(), DeadLetter.objects.get(stream="bob")
    path = address(letter, "skip_stream_this")
    assert "Skip all that waits: 3 events?" in text(console.get(path))
    assert said(confirmed(console, path)) == ["Skipped 3 events."]
    letter.refresh_from_db()
    assert letter.state == LetterState.SKIPPED
    assert "Retry…" not in text(console.page(letter))
    assert listed(console)["ValueError"]["skipped"] == "1"


def test_a_group_is_retried_and_its_progress_is_shown_until_it_is_resolved(
    parked: tuple[Poison, Game],
) -> None:
    parked[0].places.clear()
    console = olive()
    asked = text(console.get(group_page("retry")))
    assert "Retry 3 dead letters with this fingerprint?" in asked
    assert "3 of alpha, of the hub recorder." in asked
    done = confirmed(console, group_page("retry"))
    assert said(done) == ["Begun: 3 dead letters are being retried. Its progress is below."]
    assert done["Refresh"] == "3"
    assert "0 of 3 went through" in text(done)
    assert "Retry all…" not in text(done), "one round at a time"
    while RetryRound.objects.filter(finished=None).exists():
        RetryRound.objects.update(next_at=datetime.now(UTC))
        assert rounds.take_turn(60)
    page = console.get(group_page())
    assert "Refresh" not in page
    assert "the retry finished: 3 went through, 0 did not" in text(page)
    assert not DeadLetter.objects.filter(resolved=None).exists()
    assert staff_events("retried")[0] == {
        "by": "olive", "fingerprint": DeadLetter.objects.all()[0].fingerprint, "hub": "recorder", "letters": 3,
        "reason": "mended", "round": RetryRound.objects.get().pk,
    }  # fmt: skip


@pytest.mark.usefixtures("parked")
def test_a_group_is_skipped() -> None:
    console = olive()
    assert "Skip 3 dead letters with this fingerprint?" in text(console.get(group_page("skip")))
    done = confirmed(console, group_page("skip"), "an old season")
    assert said(done) == ["Begun: 3 dead letters are being skipped. Its progress is below."]
    while RetryRound.objects.filter(finished=None).exists():
        RetryRound.objects.update(next_at=datetime.now(UTC))
        assert rounds.take_turn(60)
    assert Skip.objects.filter(reason="an old season", by="olive").count() == 3
    assert staff_events("group_skipped")[0]["letters"] == 3


@pytest.mark.usefixtures("parked")
def test_a_round_is_cancelled() -> None:
    console = olive()
    row = retry_group("recorder", DeadLetter.objects.all()[0].fingerprint, seen=3, by="vera", reason="x")
    path = reverse("admin:events_deadletter_cancel_round", args=[row.pk])
    assert path in text(console.get(group_page()))
    assert said(confirmed(console, path)) == ["Cancelled. What is left waits as before."]
    assert said(console.client.get(path, follow=True)) == [
        "There is nothing to do any more: nothing waits there."
    ]
    assert staff_events("round_cancelled")[0]["letters"] == 3


LETTER_LEVERS = ("retry_this", "retry_stream_this", "skip_this", "skip_stream_this")


def untouched() -> bool:
    return (
        not Skip.objects.exists()
        and not RetryRound.objects.exists()
        and not DeadLetter.objects.exclude(asked_by="").exists()
        and not OutboxEvent.objects.filter(type__startswith="staff.deadletter").exists()
    )


@pytest.mark.usefixtures("parked")
def test_without_a_reason_nothing_is_done() -> None:
    console, letter = olive(), DeadLetter.objects.get(stream="bob")
    for path in (
        *(address(letter, lever) for lever in LETTER_LEVERS),
        group_page("retry"),
        group_page("skip"),
    ):
        seen = seen_on(console.get(path))
        for reason in ("", "   "):
            refused = console.post(path, {"reason": reason, "seen": seen})
            assert "This field is required" in text(refused), path
    assert untouched()


def test_what_has_changed_since_it_was_shown_is_asked_about_again(parked: tuple[Poison, Game]) -> None:
    game, console, letter = parked[1], olive(), DeadLetter.objects.get(stream="bob")
    paths = [address(letter, "skip_stream_this"), group_page("retry"), group_page("skip")]
    shown = {path: seen_on(console.get(path)) for path in paths}
    more(game, "bob")
    given_letter(game, "dora", fingerprint=letter.fingerprint)
    for path, seen in shown.items():
        again = console.post(path, {"reason": "mended", "seen": seen})
        assert "It has changed since you looked, and nothing was done." in text(again), path
        assert ("4 events" if "stream" in path else "4 dead letters") in text(again)
        assert 'value="mended"' in text(again), "the reason need not be typed again"
    assert untouched()
    assert said(confirmed(console, paths[0])) == ["Skipped 4 events."]


def test_a_letter_that_moved_since_it_was_shown_is_asked_about_again(parked: tuple[Poison, Game]) -> None:
    console, letter = olive(), DeadLetter.objects.get(stream="bob")
    paths = [address(letter, lever) for lever in LETTER_LEVERS]
    shown = {path: seen_on(console.get(path)) for path in paths}
    parked[0].places = {("bob", 2)}
    DeadLetter.objects.filter(pk=letter.pk).update(next_retry=datetime.now(UTC))
    work.work_for(60)
    for path, seen in shown.items():
        assert "It has changed since you looked" in text(console.post(path, {"reason": "x", "seen": seen})), (
            path
        )
    assert untouched()


@pytest.mark.usefixtures("parked")
def test_a_form_that_is_sent_twice_acts_once() -> None:
    console = olive()
    letter, other = DeadLetter.objects.get(stream="bob"), DeadLetter.objects.get(stream="carol")
    for path in (address(letter, "retry_this"), address(other, "skip_this"), group_page("retry")):
        form = {"reason": "mended", "seen": seen_on(console.get(path))}
        for _ in range(2):
            assert console.post(path, form).status_code in {200, 302}
    assert len(staff_events("retried")) == 2, "one of the letter, one of the group"
    assert len(staff_events("skipped")) == Skip.objects.count() == 1
    assert RetryRound.objects.count() == 1


@pytest.mark.usefixtures("parked")
def test_who_may_only_look_sees_every_screen_and_no_lever() -> None:
    console, letter = vera(), DeadLetter.objects.get(stream="bob")
    row = RetryRound.objects.create(hub="recorder", fingerprint="f" * 16, by="olive", reason="x", total=1)
    for page in (console.listed(LIST), console.get(group_page()), console.page(letter)):
        assert page.status_code == 200
        assert "Retry…" not in text(page)
        assert "Skip" not in text(page).replace("Skipped", "").replace("skipped", "").replace("Skip to", "")
    paths = [*(address(letter, lever) for lever in LETTER_LEVERS), group_page("retry"), group_page("skip")]
    paths.append(reverse("admin:events_deadletter_cancel_round", args=[row.pk]))
    for path in paths:
        assert console.get(path).status_code == 403, path
        assert console.post(path, {"reason": "x", "seen": "1"}).status_code == 403, path
    row.delete()
    assert untouched()


@pytest.mark.usefixtures("parked")
def test_skipping_takes_a_right_of_its_own() -> None:
    rights = ("events.view_deadletter", "events.change_deadletter")
    console, letter = Console(given_staff("otto", *rights)), DeadLetter.objects.get(stream="bob")
    page = text(console.page(letter))
    assert "Retry…" in page
    assert "Skip the event…" not in page
    for path in (address(letter, "skip_this"), address(letter, "skip_stream_this"), group_page("skip")):
        assert console.post(path, {"reason": "x", "seen": "1"}).status_code == 403
    assert "Skip all…" not in text(console.get(group_page()))
    assert said(confirmed(console, address(letter, "retry_this")))
    trusted = Console(given_staff("tess", *rights, "events.skip_deadletter"))
    assert said(confirmed(trusted, address(letter, "skip_this"))) == ["Skipped 1 event."]


@pytest.mark.usefixtures("parked")
def test_there_is_no_other_lever() -> None:
    assert olive().get(group_page("drop")).status_code == 404


def test_a_stranger_sees_nothing() -> None:
    console = Console(given_staff("nobody"))
    assert console.listed(LIST).status_code == 403
    assert console.get(reverse("admin:events_deadletter_live")).status_code == 403
