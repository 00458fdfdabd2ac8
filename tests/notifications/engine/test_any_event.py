"""Whatever an event holds, the engine answers with a decision that can be stored."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.engine import (
    POSTED,
    Content,
    EventView,
    Outcome,
    PlayerState,
    PlayerView,
    audience,
    compile_rule,
    decide,
    explain,
    explain_stored,
)
from tests.notifications.engine.cases import NOW, definition

NAMES = ["player_id", "players", "level", "guild", "members", "title", "class", "data", "at", "id", "key"]
KEYS = st.sampled_from(NAMES) | st.text(max_size=5)
# beyond what the log accepts too: the engine must not lean on the door
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(
        ["alice", "2026-01-31T12:00:00Z", "9999-12-31T23:59:59-12:00", "inbox", "live", "\ud800", "\x00"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
DATA = st.dictionaries(KEYS, JSON, max_size=8) | JSON
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))

CONDITIONS = [
    "",
    "data.level >= 10",
    "data.level + data.level > 1 || data.guild == 'Owls'",
    "data.members.exists(m, m.id == data.player_id) && size(data.guild) > 2",
    "data.members.filter(m, has(m.id)).size() > 0",
    "timestamp(data.at) + duration(data.key) > event.time",
    "int(data.level) / int(data.key) == 1 || data[data.key] == data.members[data.level]",
    "data.guild.matches('^(a+)+$') || !data.key",
    "-data.level < 3 || data.level % data.key == 0",
]
TITLES = [
    "{{ data.guild }} {{ data.members }} {{ data }}",
    "{{ data.level | plus: data.key | times: data.level | round: data.key }}",
    (
        "{{ data.at | date: data.key }} "
        "{{ data.at | local_datetime: 'full', data.key }} {{ data.level | number }}"
    ),
    (
        "{% for m in data.members limit: data.level offset: data.key %}"
        "{{ m.id | upcase | append: data.key }}{% endfor %}"
    ),
    (
        "{{ data.members | sort | uniq | join: data.key "
        "| replace: data.key, data.guild | truncate: data.level }}"
    ),
    (
        "{% if data.level > data.key %}{{ data[data.key] }}{% endif %}"
        "{{ data.members | map: 'id' | where: data.key | sum }}"
    ),
    (
        "{{ data.guild | slice: data.level, data.key }}"
        "{{ data.guild | split: data.key | concat: data.members | last }}"
    ),
    (
        "{% case data.key %}{% when data.level %}a{% else %}"
        "{{ data.members.first.size }}{% endcase %}{% cycle data.a, 1 %}"
    ),
    "{{ data.level | divided_by: data.key | modulo: data.level | ceil | abs | at_most: data.key }}",
]
PATHS = ["data.player_id", "data.members", "data.members[*].id", "data.players", "event.subject"]
COPIES = [None, {"a": "{{ data.members }}", "b": ["{{ data.level }} x", {"c": "{{ data.at | date }}"}]}]
RULES = [
    compile_rule(
        definition(
            condition=condition, audience={"path": path}, data=copy, templates={"en": {"title": title}}
        )
        | {"ttl_s": 60, "class": "live"}
    )
    for condition, title, path, copy in zip(CONDITIONS, TITLES, PATHS * 2, COPIES * 5, strict=False)
] + [
    compile_rule(definition(audience={"players": ["alice"]}, data=copy, templates={"en": {"title": title}}))
    for title in TITLES
    for copy in COPIES
]
RULES.append(compile_rule(POSTED))


def storable(text: str) -> bool:
    return "\x00" not in text and text == text.encode("utf-8", "replace").decode()


def assert_storable(content: Content) -> None:
    assert storable(content.title)
    assert storable(content.body)
    assert len(content.title) <= 200
    written = json.dumps(content.data, allow_nan=False)
    assert "\\u0000" not in written
    json.dumps(content.data, ensure_ascii=False).encode()
    assert all(storable(note) for note in content.notes)


@settings(max_examples=400, deadline=None)
@given(
    rule=st.sampled_from(RULES),
    data=DATA,
    time=TIMES,
    recorded=st.just(NOW) | st.datetimes(timezones=st.just(UTC)),
    subject=st.sampled_from(["", "alice"]),
    now=st.just(NOW) | st.datetimes(timezones=st.just(UTC)),
    locale=st.sampled_from(["", "en", "zh-Hant-TW", "xx", "no locale", "-"]),
    zone=st.sampled_from(["", "Asia/Seoul", "Nowhere/City", "../etc"]),
)
def test_no_event_makes_the_engine_raise(  # noqa: PLR0917 - hypothesis gives each by name
    rule, data, time, recorded, subject, now: datetime, locale, zone
) -> None:
    event = EventView(id="e", source="s", type="t", subject=subject, time=time, recorded=recorded, data=data)
    found = audience(rule, event, now)
    made = [found.record] if found.record else []
    for key in (*found.players, "mallory"):
        player = PlayerView(key=key, locale=locale, timezone=zone, display_name=key)
        made.append(decide(rule, event, player, PlayerState(), now, reached=found))
    for decision in made:
        assert decision.outcome in {Outcome.SENT, Outcome.SUPPRESSED, Outcome.FAILED}
        assert (decision.outcome is Outcome.SENT) == (decision.content is not None)
        assert bool(decision.error) == (decision.outcome is Outcome.FAILED)
        stored = json.dumps(decision.gates_json(), allow_nan=False)
        assert "\\u0000" not in stored
        assert storable(decision.error)
        assert explain(decision)
        assert explain_stored(json.loads(stored), decision.outcome.value)
        if decision.content:
            assert_storable(decision.content)


SECRETS = st.from_regex(r"\A[QZ][0-9]{6}[QZ]{6}\Z")


@settings(max_examples=200, deadline=None)
@given(rule=st.sampled_from(RULES), secret=SECRETS, shape=st.sampled_from(["text", "key", "list", "all"]))
def test_no_error_repeats_what_an_event_holds(rule, secret: str, shape: str) -> None:
    values = {
        "text": secret,
        "key": {secret: secret},
        "list": [secret, {secret: [secret]}],
        "all": dict.fromkeys(NAMES, secret),
    }
    data = {"player_id": "alice"} | dict.fromkeys(NAMES[1:], values[shape]) | {"level": secret}
    event = EventView(id="e", source="s", type="t", subject="alice", recorded=NOW, data=data)
    found = audience(rule, event, NOW)
    decisions = [found.record] if found.record else []
    decisions += [decide(rule, event, PlayerView(key="alice"), PlayerState(), NOW, reached=found)]
    for decision in decisions:
        notes = decision.content.notes if decision.content else ()
        assert secret not in json.dumps([decision.gates_json(), decision.error, notes])
        assert secret not in repr(decision)
