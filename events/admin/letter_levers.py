"""Retrying and skipping dead letters: each asks first, names the exact count, and looks again when it is sent."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from events.admin.asking import Asking, ask_for, reason_field
from events.admin.cells import Cell, listed, mono, page_of
from events.admin.letter_words import group_url, without
from events.errors import LetterGone, LetterMoved, LettersChanged, RoundOpen
from events.hubs.letters import rounds, skipping, steering, waiting
from events.hubs.letters.groups import Key
from events.hubs.letters.retrying import of_stream, retry
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Game, RetryRound

Do = Callable[[str, str], str]
"""Takes who and why; returns what was done, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that somebody is asked about, as it stands at this moment."""

    asking: Asking
    seen: str  # what it would touch, in short: it is done only if this is still so when it is sent
    do: Do


class Reasoned(forms.Form):
    """Asks why, and brings back what was seen."""

    reason = reason_field()
    seen = forms.CharField(widget=forms.HiddenInput())


def settle(
    model_admin: Any, request: HttpRequest, look: Callable[[], Deed | None], back: str
) -> HttpResponse:
    """Ask, and do what was confirmed if it is still what was seen; else say what has changed and ask again."""
    deed = look()
    if deed is None:
        messages.info(request, "There is nothing to do any more: nothing waits there.")
        return HttpResponseRedirect(back)
    form = Reasoned(request.POST if request.method == "POST" else None, initial={"seen": deed.seen})
    if form.is_valid():
        if form.cleaned_data["seen"] == deed.seen and _done(request, deed, form.cleaned_data["reason"]):
            return HttpResponseRedirect(back)
        return _ask_again(model_admin, request, look, back)
    return ask_for(model_admin, request, form, deed.asking)


def _done(request: HttpRequest, deed: Deed, reason: str) -> bool:
    try:
        with transaction.atomic():
            messages.success(request, deed.do(request.user.get_username(), reason))
    except (LettersChanged, LetterMoved, LetterGone, RoundOpen):
        return False
    return True


def _ask_again(
    model_admin: Any, request: HttpRequest, look: Callable[[], Deed | None], back: str
) -> HttpResponse:
    deed = look()
    if deed is None:
        messages.warning(request, "It has changed since you looked: nothing waits there any more.")
        return HttpResponseRedirect(back)
    messages.warning(
        request, "It has changed since you looked, and nothing was done. This is how it stands now."
    )
    form = Reasoned(initial={"reason": request.POST.get("reason", ""), "seen": deed.seen})
    return ask_for(model_admin, request, form, deed.asking)


# -- one letter ------------------------------------------------------------------------------------------


def retry_one(letter: DeadLetter) -> Deed | None:
    """Ask to retry one letter."""
    if letter.resolved or letter.asked_by:
        return None
    behind = _behind(letter)
    return Deed(
        asking=Asking(
            title="Retry 1 dead letter?",
            explanation=listed(
                [
                    _place(letter),
                    _count(
                        behind,
                        "event waits, the failing one included",
                        "events wait, the failing one included",
                    )
                    + ": they are processed in order, each once, until one fails or none is left.",
                    "If it fails again it goes on waiting, and counts one try more.",
                ]
            ),
            button="Retry 1 dead letter",
            back=page_of(letter),
        ),
        seen=_as_read([letter]),
        do=lambda by, reason: _retried(retry([letter], by=by, reason=reason)),
    )


def retry_stream(letter: DeadLetter) -> Deed | None:
    """Ask to retry all letters of a letter's stream: of every hub and lane."""
    letters = [each for each in of_stream(letter) if not each.asked_by]
    if not letters:
        return None
    counted = _count(len(letters), "dead letter", "dead letters")
    return Deed(
        asking=Asking(
            title=f"Retry {counted} of this stream?",
            explanation=listed(
                [
                    *(_place(each) for each in letters),
                    "Each is processed in order from where it stands. Those that fail again go on waiting.",
                ]
            ),
            button=f"Retry {counted}",
            back=page_of(letter),
        ),
        seen=_as_read(letters),
        do=lambda by, reason: _retried(retry(letters, by=by, reason=reason)),
    )


def skip_one(letter: DeadLetter) -> Deed | None:
    """Ask to skip the event at which a letter stands."""
    if letter.resolved:
        return None
    behind = _behind(letter) - 1
    after = (
        f"{_count(behind, 'event', 'events')} behind it {'are' if behind != 1 else 'is'} worked off next, in order."
        if behind
        else "Nothing waits behind it: its stream goes on."
    )
    return Deed(
        asking=Asking(
            title="Skip 1 event?",
            explanation=listed([_place(letter), f"{without(letter.hub)} This cannot be taken back.", after]),
            button="Skip 1 event",
            back=page_of(letter),
            danger=True,
        ),
        seen=f"{letter.version}",
        do=lambda by, reason: _skipped(
            skipping.skip_one(letter, version=letter.version, by=by, reason=reason)
        ),
    )


def skip_stream(letter: DeadLetter) -> Deed | None:
    """Ask to skip all that waits behind a letter."""
    try:
        shown = skipping.seen(letter)
    except LetterGone:
        return None
    counted = _count(shown.events, "event", "events")
    return Deed(
        asking=Asking(
            title=f"Skip all that waits: {counted}?",
            explanation=listed(
                [
                    _place(letter),
                    f"{without(letter.hub)} This cannot be taken back.",
                    "What comes to the stream from now on is processed as usual. Other hubs and lanes are not touched.",
                ]
            ),
            button=f"Skip {counted}",
            back=page_of(letter),
            danger=True,
        ),
        seen=f"{shown.version}:{shown.events}",
        do=lambda by, reason: _skipped(
            skipping.skip_waiting(letter, version=shown.version, upto=shown.upto, by=by, reason=reason)
        ),
    )


# -- a group ---------------------------------------------------------------------------------------------


def retry_group(key: Key) -> Deed | None:
    """Ask to retry all letters with a fingerprint."""
    steps = [
        "One is tried first. If it fails again, the round ends there, and the rest goes on waiting.",
        f"The others follow, at most {rounds.PER_SECOND} a second over all workers; after {rounds.STOPS_AFTER} failures"
        " the round stops. It can be cancelled at any time.",
    ]
    deed = _of_group(key, "Retry", steps, steering.retry_group)
    return deed and replace(deed, asking=replace(deed.asking, danger=False))


def skip_group(key: Key) -> Deed | None:
    """Ask to skip the event at which each letter of a fingerprint stands."""
    steps = [
        "Exactly one event of each is skipped: the one at which it stands.",
        f"{without(key[0])} This cannot be taken back.",
        "What waits behind each is worked off next. One that has moved on when its turn comes is left as it is.",
        f"At most {rounds.SKIPS_PER_SECOND} a second are skipped; what is left can be cancelled at any time.",
    ]
    return _of_group(key, "Skip", steps, steering.skip_group)


def cancel_round(row: RetryRound) -> Deed | None:
    """Ask to end a round."""
    if row.finished:
        return None
    left, what = row.total - row.passed - row.failed, "skipping" if row.skips else "retry"
    return Deed(
        asking=Asking(
            title=f"Cancel the {what} of {_count(left, 'dead letter', 'dead letters')}?",
            explanation="What it has done stays as it is; the rest waits as before. It goes on while you read this.",
            button="Cancel the round",
            back=group_url((row.hub, row.fingerprint)),
            danger=True,
        ),
        seen=f"{row.pk}",
        do=lambda by, reason: (
            "Cancelled. What is left waits as before."
            if steering.cancel(row, by=by, reason=reason)
            else "It was over before: nothing was changed."
        ),
    )


def _of_group(key: Key, verb: str, steps: list[str], begin: Callable[..., RetryRound]) -> Deed | None:
    games = steering.waiting_in(*key)
    total = sum(games.values())
    if not total or steering.is_open(*key):
        return None
    counted = _count(total, "dead letter", "dead letters")
    names = dict(Game.objects.filter(pk__in=games).values_list("pk", "slug"))
    where = ", ".join(f"{count:,} of {names.get(game)}" for game, count in sorted(games.items()))
    return Deed(
        asking=Asking(
            title=f"{verb} {counted} with this fingerprint?",
            explanation=listed([f"{where}, of the hub {key[0]}.", *steps]),
            button=f"{verb} {counted}",
            back=group_url(key),
            danger=True,
        ),
        seen=f"{total}",
        do=lambda by, reason: _begun(begin(*key, seen=total, by=by, reason=reason)),
    )


# -- words -----------------------------------------------------------------------------------------------


def _place(letter: DeadLetter) -> Cell:
    return format_html(
        "{}, version {} of the stream {}, in the {} lane of {} ({})", letter.event_type, letter.version,
        mono(letter.stream), Lane(letter.lane).label, letter.hub, letter.game.slug,
    )  # fmt: skip


def _behind(letter: DeadLetter) -> int:
    checkpoint = Checkpoint.objects.filter(
        hub=letter.hub, partition_id=letter.partition_id, lane=letter.lane
    ).first()
    return waiting.count(letter, checkpoint.position if checkpoint else 0)


def _as_read(letters: list[DeadLetter]) -> str:
    return ",".join(f"{each.pk}:{each.version}:{each.tries}" for each in letters)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _retried(count: int) -> str:
    return (
        f"{_count(count, 'dead letter is', 'dead letters are')} due now. Workers take it up within seconds."
    )


def _skipped(count: int) -> str:
    return f"Skipped {_count(count, 'event', 'events')}."


def _begun(row: RetryRound) -> str:
    what = "skipped" if row.skips else "retried"
    return f"Begun: {_count(row.total, 'dead letter is', 'dead letters are')} being {what}. Its progress is below."
