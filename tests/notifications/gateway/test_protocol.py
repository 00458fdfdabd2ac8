"""The words of the protocol: what clients may say, and what their cursors are good for."""

import pytest

from notifications.gateway.protocol import RESUME_MAX, Ping, Read, Since, decode, kind_of, resume


def resumed(since: Since | None, *, epoch: str = "e1", head: int = 50, announcements: int = 8) -> str:
    return resume(since, epoch=epoch, head=head, announcements=announcements)


def test_without_since_a_client_is_new() -> None:
    assert resumed(None) == "new"


@pytest.mark.parametrize("seq", [0, 41, 50])
def test_a_cursor_of_this_numbering_is_good_up_to_the_head(seq: int) -> None:
    assert resumed(Since(epoch="e1", seq=seq, announcements=8)) == "ok"


@pytest.mark.parametrize(
    "since",
    [
        Since(epoch="e0", seq=41, announcements=8),
        Since(epoch="", seq=41, announcements=8),
        Since(epoch="e1", seq=51, announcements=8),
        Since(epoch="e1", seq=-1, announcements=8),
        Since(epoch="e1", seq=2**80, announcements=8),
        Since(epoch="e1", seq=41, announcements=9),
        Since(epoch="e1", seq=41, announcements=-1),
    ],
    ids=[
        "epoch",
        "no epoch",
        "beyond the head",
        "negative",
        "huge",
        "announcements beyond",
        "announcements negative",
    ],
)
def test_a_cursor_of_another_numbering_or_beyond_the_head_is_of_no_use(since: Since) -> None:
    assert resumed(since) == "reset"


def test_far_behind_the_inbox_is_the_shorter_way() -> None:
    assert resumed(Since(epoch="e1", seq=0), head=RESUME_MAX) == "ok"
    assert resumed(Since(epoch="e1", seq=0), head=RESUME_MAX + 1) == "reset"
    assert resumed(Since(epoch="e1", seq=50, announcements=0), announcements=RESUME_MAX + 1) == "reset"


def test_a_client_that_follows_no_announcements_may_leave_their_cursor_out() -> None:
    assert resumed(Since(epoch="e1", seq=41), announcements=RESUME_MAX * 2) == "ok"


def test_unknown_fields_are_ignored() -> None:
    assert decode('{"type":"ping","mood":"fine"}') == Ping()
    assert decode('{"type":"read","ids":["a"],"through":null,"why":{}}') == Read(ids=["a"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"type":"dance"}', "dance"),
        ('{"type":"ack"}', "ack"),
        ('{"type":"ack","seq":"45"}', "ack"),
        ('{"type":"ack","seq":4.5}', "ack"),
        ('{"type":"sync","since":{"epoch":"e1"}}', "sync"),
        ('{"type":"read","ids":"a"}', "read"),
        ('{"type":"seen","through":true}', "seen"),
    ],
)
def test_what_is_not_understood_still_says_what_it_wanted_to_be(text: str, kind: str) -> None:
    assert decode(text) is None
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ping",
        "{",
        "[]",
        "null",
        "7",
        '"ping"',
        "{}",
        '{"type":7}',
        '{"type":null}',
        "[" * 9_000,
        '{"type":"\\ud800"}',
    ],
    ids=range(12),
)
def test_what_is_no_object_with_a_type_has_no_kind(text: str) -> None:
    assert decode(text) is None
    assert kind_of(text) is None
