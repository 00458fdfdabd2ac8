"""What travels to devices: each item in its current state, ranges without holes, nothing that has expired."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from notifications.frames import (
    FIELDS,
    NO_MARKS,
    Item,
    Marks,
    announcements_frame,
    changes_frame,
    described,
    rfc3339,
    showable,
)
from notifications.models import Notification
from notifications.models.inbox import Gone

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER, EARLIER = NOON + timedelta(seconds=1), NOON - timedelta(seconds=1)
UID = UUID("afb7a5f2-2b6e-58f4-a705-fe1db5430779")
OTHER = UUID("6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a")
AT_NOON = "2026-11-24T12:00:00Z"


def an_item(**changes: Any) -> Item:
    plain: dict[str, Any] = {
        "uid": UID, "number": 5, "seq": 11, "notification_class": "inbox", "category": "social",
        "title": "Ἀλίκη <b>", "body": "", "data": '{"level":7}', "actions": "[]", "created": NOON,
        "expires": None, "seen": None, "read": None, "archived": None, "claimed": None, "gone": "",
        "replaces": None,
    }  # fmt: skip
    return Item(**(plain | changes))


def told(item: Item, marks: Marks = NO_MARKS) -> dict[str, Any]:
    """Describe an item as it is read at the other end."""
    frame = json.loads(changes_frame(0, 99, 0, [item], NOON, marks=marks))
    return dict(frame["items"][0])


def test_a_notification_has_every_member_of_the_protocol() -> None:
    full = an_item(
        expires=LATER,
        seen=NOON,
        read=NOON,
        archived=NOON,
        claimed=NOON,
        replaces=OTHER,
        actions='[{"id":"go"}]',
    )
    assert told(full) == {
        "number": 5,
        "seq": 11,
        "id": str(UID),
        "class": "inbox",
        "category": "social",
        "title": "Ἀλίκη <b>",
        "body": "",
        "data": {"level": 7},
        "actions": [{"id": "go"}],
        "created": AT_NOON,
        "expires": "2026-11-24T12:00:01Z",
        "read": AT_NOON,
        "seen": AT_NOON,
        "archived": AT_NOON,
        "claimed": AT_NOON,
        "replaces": str(OTHER),
    }


def test_what_has_not_happened_is_null() -> None:
    plain = told(an_item())
    assert {plain[name] for name in ("expires", "read", "seen", "archived", "claimed", "replaces")} == {None}


@pytest.mark.parametrize("why", list(Gone))
def test_what_is_taken_back_says_so_and_nothing_else(why: Gone) -> None:
    assert told(an_item(gone=why)) == {"number": 5, "seq": 11, "id": str(UID), "gone": str(why.value)}


def test_an_item_is_read_in_the_order_of_the_table_s_columns() -> None:
    columns = {field.name for field in Notification._meta.concrete_fields}
    assert set(FIELDS) <= columns


@pytest.mark.parametrize(
    ("number", "marks", "expected"),
    [
        (5, Marks(seen_through=5, seen_at=NOON), (AT_NOON, None)),
        (5, Marks(seen_through=4, seen_at=NOON), (None, None)),
        (5, Marks(read_through=5, read_at=NOON), (None, AT_NOON)),
        (5, Marks(read_through=4, read_at=NOON), (None, None)),
        (5, Marks(9, NOON, 9, NOON), (AT_NOON, AT_NOON)),
        (None, Marks(9, NOON, 9, NOON), (None, None)),
    ],
    ids=["seen", "not seen", "read", "not read", "both", "an announcement"],
)
def test_marks_count_up_to_their_number(
    number: int | None, marks: Marks, expected: tuple[str | None, str | None]
) -> None:
    item = told(an_item(number=number), marks)
    assert (item["seen"], item["read"]) == expected


def test_a_state_of_its_own_goes_before_a_mark() -> None:
    item = an_item(read=EARLIER, seen=EARLIER)
    assert told(item, Marks(9, NOON, 9, NOON))["read"] == "2026-11-24T11:59:59Z"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, None),
        (NOON, AT_NOON),
        (NOON.replace(microsecond=250_000), "2026-11-24T12:00:00.250000Z"),
        (datetime(2026, 11, 24, 14, tzinfo=timezone(timedelta(hours=2))), AT_NOON),
    ],
)
def test_times_are_in_utc(moment: datetime | None, text: str | None) -> None:
    assert rfc3339(moment) == text


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"expires": LATER}, True),
        ({"expires": NOON}, False),
        ({"expires": EARLIER}, False),
        ({"expires": EARLIER, "gone": "expired"}, True),
    ],
    ids=["endless", "in time", "at its end", "too late", "that it is gone"],
)
def test_what_has_expired_is_never_shown_but_that_it_is_gone_is_told(
    changes: dict[str, Any], shown: bool
) -> None:
    item = an_item(**changes)
    assert showable(item, NOON) is shown
    frame = json.loads(changes_frame(10, 11, 3, [item], NOON))
    assert (frame["from"], frame["to"], frame["unread"]) == (10, 11, 3), "the range covers it all the same"
    assert len(frame["items"]) == shown
    assert len(json.loads(announcements_frame(10, 11, [item], NOON))["items"]) == shown


def test_items_come_in_the_order_of_their_sequences() -> None:
    items = [an_item(seq=seq) for seq in (13, 11, 12)]
    for text in (changes_frame(10, 13, 0, items, NOON), announcements_frame(10, 13, items, NOON)):
        assert [item["seq"] for item in json.loads(text)["items"]] == [11, 12, 13]


def test_a_frame_tells_the_marks_that_moved_and_announcements_that_were_read() -> None:
    marks = Marks(9, NOON, 8, NOON)
    plain = json.loads(changes_frame(10, 11, 0, [], NOON, marks=marks))
    assert set(plain) == {"type", "from", "to", "unread", "items"}
    frame = json.loads(
        changes_frame(
            10,
            11,
            0,
            [],
            NOON,
            marks=marks,
            moved=["read_through", "seen_through"],
            announcements_read=["a1"],
        )
    )
    assert (frame["type"], frame["seen_through"], frame["read_through"]) == ("changes", 9, 8)
    assert frame["announcements_read"] == ["a1"]


def test_an_announcements_frame_has_a_range_of_the_game_s_sequence() -> None:
    frame = json.loads(
        announcements_frame(7, 8, [an_item(number=None, notification_class="announcement")], NOON)
    )
    assert (frame["type"], frame["from"], frame["to"]) == ("announcements", 7, 8)
    assert (frame["items"][0]["number"], frame["items"][0]["class"]) == (None, "announcement")


def test_text_is_told_as_it_is() -> None:
    """Nothing is escaped for HTML: clients show text, and say so themselves."""
    assert described(an_item())["title"] == "Ἀλίκη <b>"
