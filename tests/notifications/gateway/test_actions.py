"""From a client's message to what is to be done."""

import uuid

import pytest

from notifications.gateway.actions import Unusable, action_of
from notifications.gateway.protocol import Archive, Read, Seen, State
from notifications.inbox import Action, Kind
from notifications.inbox.states import IDS_MAX

ALICE = 7
ONE = uuid.uuid4()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Seen(through=12), Action(player_id=ALICE, kind=Kind.SEEN, through=12)),
        (Read(through=0), Action(player_id=ALICE, kind=Kind.READ, through=0)),
        (Read(ids=[str(ONE)]), Action(player_id=ALICE, kind=Kind.READ, ids=(ONE,))),
        (Archive(ids=[str(ONE)]), Action(player_id=ALICE, kind=Kind.ARCHIVE, ids=(ONE,))),
    ],
    ids=["seen through", "read through", "read ids", "archive ids"],
)
def test_ids_or_a_mark_are_an_action(message: State, expected: Action) -> None:
    assert action_of(ALICE, message) == expected


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Read(), "either"),
        (Read(ids=[str(ONE)], through=3), "either"),
        (Archive(through=3), "ids only"),
        (Archive(), "either"),
        (Read(ids=["n-1"]), "notifications' ids"),
        (Read(ids=[str(ONE)] * (IDS_MAX + 1)), f"up to {IDS_MAX} ids, not {IDS_MAX + 1}"),
        (Seen(through=-1), "number"),
        (Seen(through=2**63), "number"),
    ],
    ids=["nothing", "both", "archive through", "archive nothing", "no id", "too many", "negative", "huge"],
)
def test_anything_else_is_refused_with_the_reason(message: State, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        action_of(ALICE, message)
