"""A game in which everything has happened that verifying looks at, and ways to damage it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, models

from config.verifying import prove
from events.lanes import Lane
from events.models import Event, Game, Partition
from events.staff import note
from notifications import announcements
from notifications.inbox import states
from notifications.inbox.states import Action, Kind
from players import forgetting
from players.erasing import erase
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import decide, given_levels, given_rule, player, uids
from tests.players.people import given_updates

CROWD = [f"p{number:03}" for number in range(120)]


def given_busy_game() -> Game:
    """Make a game of one partition: players with profiles, an inbox in every state, a crowd, somebody erased."""
    game = given_game(partitions=1)
    for key in ("alice", "bob", "carol"):
        given_updates(game, key, {"display_name": key}, {"locale": "de"})
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1), tick=True):
        given_rule(game, slug="levels")
        given_rule(game, slug="crowd", event_type="party.began", audience_path="data.players")
    for key in ("alice", "bob", "carol"):
        given_levels(game, 1, 2, 3, key=key)
    given_events(game, an_event(type="party.began", data={"players": CROWD, "level": 1}), lane=Lane.BULK)
    given_events(game, an_event(type="party.began", data={"players": [3, "alice"], "level": 1}))
    hubs_catch_up()
    decide()
    act(game)
    announcements.end(announcements.put(game.pk, title="Over"))
    announcements.put(game.pk, title="Hello")
    note(game.pk, "rule.saved", "olive", rule="levels")
    erase(player(game, "bob"))
    hubs_catch_up()
    while forgetting.step():
        pass
    return game


def act(game: Game) -> None:
    """Let Alice see, read and archive."""
    who, had = player(game, "alice").pk, uids(game, "alice")
    for action in (
        Action(player_id=who, kind=Kind.SEEN, through=2),
        Action(player_id=who, kind=Kind.READ, ids=(had[0],)),
        Action(player_id=who, kind=Kind.ARCHIVE, ids=(had[1],)),
    ):
        states.apply([action])


def found(game: Game) -> list[str]:
    """Return what verifying finds in a game."""
    return prove(game).findings


def where(game: Game) -> str:
    """Return how findings name the game's only partition."""
    return f"partition {Partition.objects.get(game=game)}"


def behind_its_back(sql: str, *values: Any) -> None:
    """Change the data as somebody with the database's password may."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def cut_off(game: Game, count: int) -> int:
    """Cut the last events off and put heads, counts and digest back as they were before them; return the head."""
    row = Partition.objects.get(game=game)
    left = Event.objects.filter(game=game, offset__lte=row.head - count)
    last = left.order_by("-offset").first()
    assert last
    heads = {}
    for lane in Lane:
        mine = left.filter(lane=lane).order_by("-offset")
        newest = mine.first()
        heads[f"{lane.label}_head"] = newest.offset if newest else 0
        heads[f"{lane.label}_count"] = mine.count()
    behind_its_back('DELETE FROM events_event WHERE game_id = %s AND "offset" > %s', game.pk, last.offset)
    Partition.objects.filter(pk=row.pk).update(head=last.offset, digest=bytes(last.digest), **heads)
    return last.offset


@contextmanager
def without(model: type[models.Model], name: str) -> Iterator[None]:
    """Drop a constraint, as somebody must who wants to break what it keeps; put it back on an empty table."""
    constraint = next(each for each in model._meta.constraints if each.name == name)
    rest = [each for each in model._meta.constraints if each is not constraint]
    with pytest.MonkeyPatch.context() as patch, connection.schema_editor() as editor:
        patch.setattr(model._meta, "constraints", rest)  # SQLite makes the table anew from these
        editor.remove_constraint(model, constraint)
    try:
        yield
    finally:
        behind_its_back(f"DELETE FROM {model._meta.db_table}")
        with connection.schema_editor() as editor:
            editor.add_constraint(model, constraint)


def verify(*arguments: str, **options: Any) -> tuple[int, str]:
    """Run the command as an operator does; return its exit code and what it prints."""
    out = StringIO()
    try:
        call_command("verify", *arguments, stdout=out, **options)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()
