"""Replays in the console: begun with a reason, followed, steered, and only by those who may."""

from typing import Any

import pytest
from django.urls import reverse

from events.models import Game, Replay
from events.replays import control, work
from players.models import Profile
from tests.events.replays.given import given_replay, rebuilt, worked_off
from tests.given import given_game
from tests.players.people import given_updates
from tests.staff import Console, address, given_staff, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:events_replay_add"


@pytest.fixture
def game() -> Game:
    game = given_game()
    given_updates(game, "alice", {"locale": "de"})
    given_updates(game, "bob", {"locale": "fr"})
    return game


def form(game: Game, **fields: Any) -> dict[str, Any]:
    asked = {
        "what": "rebuild:profiles",
        "begins": "",
        "ends": "",
        "stream": "",
        "rate_limit": "",
        "reason": "to see",
    }
    return {"game": game.pk, **asked, **fields}


def problems(response: Any) -> dict[str, str]:
    assert response.status_code == 200
    return {name: " ".join(each) for name, each in response.context["adminform"].form.errors.items()}


def test_a_rebuild_is_begun_with_a_reason_and_its_page_tells_how_it_went(game: Game) -> None:
    console = olive()
    response = console.post(reverse(ADD), form(game, rate_limit="500"), follow=True)
    assert said(response) == ["Begun. Workers take it up within seconds."]
    replay = Replay.objects.get()
    assert (replay.kind, replay.target, replay.by, replay.reason) == (
        "rebuild",
        "profiles",
        "olive",
        "to see",
    )
    assert replay.rate_limit == 500
    assert response.redirect_chain[-1][0] == address(replay)
    assert console.page(replay)["Refresh"], "it is followed without a hand"
    Profile.objects.filter(player__key="bob").update(locale="xx")
    worked_off(replay)
    page = console.page(replay)
    assert "Refresh" not in page
    assert "1 row was not what the log says, and was put right. Streams: bob (1)." in text(page)
    assert "100 %" in text(page)


def test_what_makes_no_sense_is_said_at_its_field(game: Game) -> None:
    console = olive()

    def refused(**fields: Any) -> dict[str, str]:
        return problems(console.post(reverse(ADD), form(game, **fields)))

    assert "neither a time such as" in refused(begins="soon")["begins"]
    assert "no partition 77" in refused(begins="77:1")["begins"]
    assert "read no event of a stream nobody" in refused(stream="nobody")["stream"]
    assert "takes none" in refused(ends="0:3")["ends"]
    assert "takes none" in refused(what="decide-again:decisions", stream="alice")["stream"]
    assert "reason" in refused(reason="")
    assert "what" in refused(what="rebuild:nothing")
    assert not Replay.objects.exists()


def test_a_dry_run_of_decisions_is_begun_from_the_same_page(game: Game) -> None:
    response = olive().post(reverse(ADD), form(game, what="decide-again:decisions"), follow=True)
    assert "Decide again, as a dry run: decisions" in text(response)
    assert worked_off(Replay.objects.get()).state == "done"


def test_other_screens_link_to_the_form_with_fold_and_game_chosen(game: Game) -> None:
    page = olive().get(reverse(ADD), game=game.pk, what="rebuild:profiles", stream="alice")
    shown = page.context["adminform"].form
    assert shown["what"].value() == "rebuild:profiles"
    assert (str(shown["game"].value()), shown["stream"].value()) == (str(game.pk), "alice")


def lever(console: Console, replay: Replay, name: str, **fields: Any) -> Any:
    path = reverse(f"admin:events_replay_{name}", args=[replay.pk])
    return console.post(path, {"confirmed": "1", "reason": "because", **fields}, follow=True)


def test_levers_ask_first_and_offer_what_makes_a_difference(game: Game) -> None:
    console, replay = olive(), given_replay(game)
    page = text(console.page(replay))
    assert "Pause…" in page
    assert "Resume…" not in page
    lever(console, replay, "pause_this")
    assert Replay.objects.get().state == "paused"
    page = text(console.page(replay))
    assert "Resume…" in page
    assert "Pause…" not in page
    lever(console, replay, "resume_this")
    assert Replay.objects.get().state == "running"
    assert "at most 7" in text(lever(console, replay, "change_rate_this", rate_limit="7"))
    assert Replay.objects.get().rate_limit == 7
    lever(console, replay, "cancel_this")
    page = text(console.page(replay))
    assert not [name for name in ("Pause…", "Resume…", "Cancel…", "Change rate…") if name in page]


def test_a_rate_that_is_none_changes_nothing(game: Game) -> None:
    replay = given_replay(game, rate_limit=5)
    lever(olive(), replay, "change_rate_this", rate_limit="0")
    lever(olive_again(), replay, "change_rate_this", rate_limit="9", reason="")
    assert Replay.objects.get().rate_limit == 5


def olive_again() -> Console:
    return Console(given_staff("petra", everything=True))


def test_several_are_paused_from_the_list(game: Game) -> None:
    rows = [given_replay(game), given_replay(game)]
    ticked = {
        "action": "pause",
        "_selected_action": [row.pk for row in rows],
        "confirmed": "1",
        "reason": "hot",
    }
    response = olive().post(reverse("admin:events_replay_changelist"), ticked, follow=True)
    assert said(response) == ["Paused 2 replays."]
    assert {row.state for row in Replay.objects.all()} == {"paused"}


def test_who_may_only_look_sees_progress_and_no_lever(game: Game) -> None:
    replay, console = given_replay(game), vera()
    assert console.rows("events_replay") == [replay]
    page = text(console.page(replay))
    assert not [name for name in ("Pause…", "Cancel…", "Change rate…") if name in page]
    assert console.get(reverse(ADD)).status_code == 403
    for name in ("pause_this", "cancel_this", "change_rate_this"):
        response = lever(console, replay, name)
        assert response.status_code == 403 or Replay.objects.get().state == "waiting"
    assert Replay.objects.get().state == "waiting"
    assert Replay.objects.get().rate_limit is None


def test_nobody_edits_or_deletes_one_that_was_begun(game: Game) -> None:
    replay, console = given_replay(game), olive()
    assert console.post(address(replay), form(game, reason="other")).status_code == 403
    assert console.post(address(replay, "delete"), {"post": "yes"}).status_code == 403


def test_the_list_shows_rate_and_time_left_while_it_runs(game: Game) -> None:
    given_replay(game)
    Replay.objects.update(state="running", total=10_000, done=2_500, rate=1_500, pace=1_000)
    page = text(olive().listed("events_replay"))
    assert "25 %" in page
    assert "1,500 events/s" in page
    assert "about 8 s" in page


def test_trouble_is_told(game: Game) -> None:
    replay = given_replay(game)
    Replay.objects.update(state="failed", error="KeyError", tries=3)
    assert "KeyError (try 3)" in text(olive().page(replay))


def test_an_empty_list_says_what_would_appear_there() -> None:
    assert "A rebuild makes a fold anew from the log" in text(olive().listed("events_replay"))


def test_a_healthy_fold_is_said_to_be_so(game: Game) -> None:
    assert "All rows were what the log says." in text(olive().page(rebuilt(game)))
    assert control.pause([], "olive", "x") == 0
    assert not work.work_for(0)
