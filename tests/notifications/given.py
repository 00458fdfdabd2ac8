"""How tests bring rules, notifications and decisions about: as staff save them and game servers cause them."""

import itertools
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.test import Client

from events.lanes import Lane
from events.models import Game
from notifications import fanout, rulebook
from notifications.models import Decision, Notification, Rule, RuleTemplate
from notifications.push import Announced, Change, Changes, Message
from notifications.push.transport import Receive, Subscribed, Transport
from players import tokens
from players.models import Player
from tests.given import an_event, given_events, hubs_catch_up

_numbers = itertools.count(1)
LEVEL = "level.reached"
WORDS = {"en": ("Level {{ data.level }}!", "Well done, {{ player.display_name | default: 'you' }}.")}


def given_rule(
    game: Game, *, words: dict[str, tuple[str, str]] | None = None, event_type: str = LEVEL, **fields: Any
) -> Rule:
    """Save a rule with its words (locale -> title, body), as staff do; by default every new level is told."""
    slug = fields.pop("slug", f"rule-{next(_numbers)}")
    rule = Rule.objects.create(game=game, slug=slug, event_type=event_type, **fields)
    RuleTemplate.objects.bulk_create(
        RuleTemplate(rule=rule, locale=locale, title=title, body=body)
        for locale, (title, body) in (words or WORDS).items()
    )
    rulebook.save_revision(rule)
    return rule


def saved_again(rule: Rule, *, title: str | None = None, **fields: Any) -> Rule:
    """Change a rule (and its words in every locale) and save it again, as staff do."""
    Rule.objects.filter(pk=rule.pk).update(**fields)
    if title is not None:
        rule.templates.update(title=title)
    rule = Rule.objects.get(pk=rule.pk)
    rulebook.save_revision(rule)
    return rule


def given_levels(game: Game, *levels: int, key: str = "alice", lane: Lane = Lane.NORMAL, **how: Any) -> None:
    """Let a player reach these levels; no hub has looked yet."""
    events = [an_event(stream=key, data={"player_id": key, "level": level}, **how) for level in levels]
    given_events(game, *events, lane=lane)


def given_inbox(game: Game, count: int, key: str = "alice", **fields: Any) -> list[UUID]:
    """Let a player have so many notifications more, and return all their ids, oldest first.

    ``fields`` are the rule's; each call makes a rule and a type of events of its own.
    """
    event_type = f"thing{next(_numbers)}.happened"
    given_rule(game, event_type=event_type, words={"en": ("Thing {{ data.n }}", "")}, **fields)
    events = [
        an_event(type=event_type, stream=key, data={"player_id": key, "n": number}) for number in range(count)
    ]
    given_events(game, *events)
    decide()
    return uids(game, key)


def decide() -> None:
    """Let the decisions hub catch up, large audiences included."""
    hubs_catch_up(["decisions"])
    for _ in range(60):
        if not fanout.work_for(1):
            return
    raise AssertionError("some audience never ends")


def uids(game: Game, key: str = "alice") -> list[UUID]:
    """Return the ids of a player's notifications, oldest first."""
    return [row.uid for row in notifications(game, key)]


def notifications(game: Game, key: str = "alice") -> list[Notification]:
    """Return all that a player ever got, oldest first."""
    return list(Notification.objects.filter(game_id=game.id, player__key=key).order_by("number"))


def decisions(game: Game, **fields: Any) -> list[Decision]:
    """Return the decisions of a game in the order in which they were written."""
    return list(Decision.objects.filter(game_id=game.id, **fields).order_by("id"))


def player(game: Game, key: str = "alice") -> Player:
    """Return a player's row as it is now."""
    return Player.objects.get(game=game, key=key)


def counters(game: Game, key: str = "alice") -> tuple[int, int, int]:
    """Return a player's head, number and unread."""
    row = player(game, key)
    return row.head, row.number, row.unread


class Pushes(Transport):
    """A transport that keeps what is published, in order."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.messages: list[Message] = []

    def publish(self, message: Message) -> None:
        """Keep it."""
        self.messages.append(message)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Nobody listens."""
        raise NotImplementedError

    @property
    def changes(self) -> list[Change]:
        """All changes of players."""
        return [change for each in self.messages if isinstance(each, Changes) for change in each.changes]

    @property
    def announced(self) -> list[Announced]:
        """All changes of announcements."""
        return [each for each in self.messages if isinstance(each, Announced)]


class Device:
    """A player's client with a token; answers are never exceptions."""

    def __init__(self, game: Game, key: str = "alice") -> None:
        self.bearer = f"Bearer {tokens.issue(game, key)[0]}"
        self.client = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = "", **headers: str) -> HttpResponse:
        """Send a call to /api/v1; ``body`` is JSON text or bytes."""
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={
                "Authorization": self.bearer,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
