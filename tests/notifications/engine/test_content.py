"""What players are shown: templates, locales, limits, notes, data, direct posts."""

import threading
import time
from datetime import timedelta

import pytest

from notifications.engine import (
    POSTED,
    NotificationClass,
    Outcome,
    PlayerState,
    PlayerView,
    RuleInvalid,
    audience,
    compile_rule,
    decide,
)
from notifications.engine.content import DATA_MAX
from tests.notifications.engine.cases import ALICE, NOW, decided, event, rule, title_of

SECRET = "TOPSECRETVALUE"


def test_a_player_reads_the_rules_words() -> None:
    content = decided().content
    assert content is not None
    assert (content.title, content.body) == ("Invited to Owls", "Bob asks you")
    assert (content.category, content.class_) == ("social", NotificationClass.INBOX)
    assert (content.data, content.actions, content.notes, content.locale) == ({}, (), (), "en")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain words", "plain words"),
        ("{{ player.display_name }} ({{ player.key }})", "Alice (alice)"),
        ("{{ event.type }} {{ event.time }}", "guild.invite.received 2026-01-31T12:00:00Z"),
        ("{% if data.level > 10 %}high{% else %}low{% endif %}", "high"),
        ("{{ data.level | plus: 1 }}", "13"),
        ("{% for n in data.names %}{{ n }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "a, b"),
        ("{{ data.nick | default: 'friend' }}", "friend"),
        ("{{ data.guild | upcase | truncate: 6 }}", "OWL..."),
        ("<b>{{ data.guild }} & co</b>", "<b>Owls <3 & co</b>"),
        ("  a\n\n  b  ", "a b"),
        ("{{ data.gold | number }}", "1,234,567"),
        ("{{ data.at | date: '%H:%M' }}", "19:30"),
        ("{{ data.at | date: '%H:%M', 'Asia/Seoul' }}", "03:30"),
        ("{{ data.epoch | date: '%Y' }}", "1970"),
        ("{{ data.at | local_date: 'long' }}", "1 July 2026"),
        ("{{ data.at | local_time }}", "19:30"),
        ("{{ 2.345 | round: 1 }}", "2.3"),
        ("{{ 5 | round }}", "5"),
        ("{{ data.names | join }}", "a b"),
    ],
)
def test_a_template_renders(source: str, expected: str) -> None:
    data = {
        "player_id": "alice",
        "level": 12,
        "names": ["a", "b"],
        "guild": "Owls <3",
        "gold": 1_234_567,
        "at": "2026-07-01T18:30:00Z",
        "epoch": 0,
    }
    assert title_of(source, data) == expected


@pytest.mark.parametrize(
    ("locale", "used"),
    [
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-Hant", "zh-Hant"),
        ("zh-Hans-CN", "zh"),
        ("zh", "zh"),
        ("pt-BR", "pt-BR"),
        ("pt-PT", "en"),
        ("fr", "en"),
        ("", "en"),
        ("no locale at all", "en"),
    ],
)
def test_a_player_reads_the_nearest_locale(locale: str, used: str) -> None:
    texts = {tag: {"title": f"in {tag}"} for tag in ("en", "zh", "zh-Hant", "pt-BR")}
    made = decided(player=PlayerView(key="alice", locale=locale), templates=texts)
    assert made.content is not None
    assert (made.content.locale, made.content.title) == (used, f"in {used}")


def test_locales_of_templates_are_normalised() -> None:
    texts = {"EN_us": {"title": "colors"}, "en": {"title": "colours"}}
    made = decided(player=PlayerView(key="alice", locale="en-US"), templates=texts)
    assert made.content is not None
    assert (made.content.locale, made.content.title) == ("en-US", "colors")


def test_numbers_follow_the_player_where_the_language_is_theirs() -> None:
    data = {"player_id": "alice", "gold": 1234567}
    texts = {"en": {"title": "{{ data.gold | number }}"}, "de": {"title": "{{ data.gold | number }}"}}
    shown = {
        locale: decided(data, player=PlayerView(key="alice", locale=locale), templates=texts).content
        for locale in ("en-IN", "de-CH", "fr-FR")
    }
    titles = {locale: content.title if content else "" for locale, content in shown.items()}
    assert titles == {"en-IN": "12,34,567", "de-CH": "1’234’567", "fr-FR": "1,234,567"}


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("Hi {{ data.absent }}", "data.absent"),
        ("Hi {{ data.absent.deeper }}", "data.absent.deeper"),
        ("Hi {{ data.absent | upcase }}", "data.absent"),
        ("Hi {{ data.absent | plus: 1 }}", "data.absent"),
        ("Hi {% for x in data.absent %}{{ x }}{% endfor %}", "data.absent"),
        ("Hi {{ player.attributes.clan }}", "player.attributes.clan"),
        ("Hi {{ data.guild.upper }}", "data.guild.upper"),
        ("Hi {{ data.guild.__class__ }}", "data.guild.__class__"),
    ],
)
def test_a_missing_variable_renders_as_nothing_and_is_noted(source: str, path: str) -> None:
    made = decided(templates={"en": {"title": source}})
    assert made.outcome is Outcome.SENT
    assert made.content is not None
    assert made.content.title.startswith("Hi")
    assert made.content.notes == (f"title: {path} is missing",)


def test_asking_whether_a_variable_is_there_is_no_note() -> None:
    made = decided(
        templates={"en": {"title": "Hi{% if data.absent %}!{% endif %} {{ data.absent | default: 1 }}"}}
    )
    assert made.content is not None
    assert (made.content.title, made.content.notes) == ("Hi 1", ())


def test_a_note_never_repeats_the_events_data() -> None:
    data = {"player_id": "alice", "key": SECRET}
    made = decided(data, templates={"en": {"title": "Hi {{ data[data.key] }}"}})
    assert made.content is not None
    assert made.content.notes == ("title: data.[…] is missing",)


@pytest.mark.parametrize(
    "source",
    [
        "{{ data.secret | date }}",
        "{{ data.secret | divided_by: 0 }}",
        "{{ data.secret | round: data.secret }}",
        "{% if data.secret > 5 %}x{% endif %}",
        "{{ data.secret | local_time: data.secret }}",
        "{{ 0 | date: '%H', data.secret }}",
    ],
)
def test_a_template_that_fails_is_a_failure_that_tells_no_data(source: str) -> None:
    made = decided({"player_id": "alice", "secret": SECRET}, templates={"en": {"title": source}})
    assert (made.outcome, made.gate, made.content) == (Outcome.FAILED, "content", None)
    assert made.error.startswith("content: title: ")
    assert SECRET not in made.error


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{% for i in (1..400) %}{% for j in (1..400) %}x{% endfor %}{% endfor %}",
        "{{ (1..1000000000) | join }}",
        "{{ (1..1000000000) | reverse | first }}",
        "{% assign x = 'aaaaaaaaaa' %}{% for i in (1..99) %}{% assign x = x | append: x %}{% endfor %}",
        "{% assign x = 99 %}{% for i in (1..99) %}{% assign x = x | times: x %}{% endfor %}",
        "{{ data.long | replace: '', data.long }}",
        "{{ data.list | join: data.long }}",
        "{{ 5 | round: -9999999999 }}",
        "{{ data.big | uniq | size }}",
        "{{ data.big | sort | size }}",
        "{% for i in (1..400) %}{{ data.long }}{% endfor %}",
        "{% capture a %}{% for i in (1..400) %}{{ data.long }}{% endfor %}{% endcapture %}",
    ],
)
def test_a_template_never_runs_away(source: str) -> None:
    data = {"player_id": "alice", "long": "x" * 30_000, "list": ["a"] * 900, "big": list(range(9_000))}
    compiled = rule(templates={"en": {"title": source}})
    began = time.process_time()
    made = decide(compiled, event(data), ALICE, PlayerState(), NOW)
    assert time.process_time() - began < 1.0
    assert (made.outcome, made.gate) == (Outcome.FAILED, "content")


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("{{ data.guild", "line 1"),
        ("{% if %}x{% endif %}", "missing expression"),
        ("{% include 'settings' %}", "unexpected tag 'include'"),
        ("{% render 'settings' %}", "unexpected tag 'render'"),
        ("{% tablerow i in data.x %}{% endtablerow %}", "tablerow"),
        ("{{ guild }}", "guild is unknown; there are event, data and player"),
        ("{{ event.nope }}", "event.nope is unknown"),
        ("{{ player.password }}", "player.password is unknown"),
        ("{{ data.x | launch }}", "no filter 'launch'"),
        ("{{ data.x | strip_html }}", "no filter 'strip_html'"),
        ("{{ data.x | escape }}", "no filter 'escape'"),
        ("{% if true %}" * 12 + "{% endif %}" * 12, "nest"),
        ("x" * 501, "at most 500"),
        ("", "is empty"),
        ("   ", "is empty"),
        ("a\x00b", "NUL"),
        (7, "takes text"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_when_saved(title: object, said: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        rule(templates={"en": {"title": title}})
    assert {field for field, _ in refused.value.problems} == {"templates.en.title"}
    assert said in refused.value.problems[0][1]


def test_long_texts_are_cut_and_noted() -> None:
    data = {"player_id": "alice", "long": "x" * 5_000}
    made = decided(data, templates={"en": {"title": "{{ data.long }}", "body": "{{ data.long }}"}})
    assert made.content is not None
    assert (len(made.content.title), len(made.content.body)) == (200, 4_000)
    assert made.content.title.endswith("x…")
    assert made.content.notes == (
        "title: cut from 5000 to 200 characters",
        "body: cut from 5000 to 4000 characters",
    )


def test_texts_hold_no_characters_that_a_database_refuses() -> None:
    data = {"player_id": "alice", "odd": "a\x00b\x07cd\x85e"}
    made = decided(data, templates={"en": {"title": "{{ data.odd }}", "body": "1\n2 {{ data.odd }}"}})
    assert made.content is not None
    assert made.content.title == "abcde"
    assert made.content.body == "1\n2 abcde"


def test_data_keeps_the_types_of_what_it_copies() -> None:
    shape = {"level": "{{ data.level }}", "text": "level {{ data.level }}", "fixed": [1, None, {"x": "y"}]}
    made = decide(rule(data=shape), event(), ALICE, PlayerState(), NOW)
    assert made.content is not None
    assert made.content.data == {"level": 12, "text": "level 12", "fixed": [1, None, {"x": "y"}]}


def test_data_that_is_missing_is_null_and_noted() -> None:
    made = decide(rule(data={"a": {"b": "{{ data.absent }}"}}), event(), ALICE, PlayerState(), NOW)
    assert made.content is not None
    assert made.content.data == {"a": {"b": None}}
    assert made.content.notes == ("data.a.b: data.absent is missing",)


@pytest.mark.parametrize(
    "copied", ["x" * DATA_MAX, float("nan"), "\ud800", "a\x00b", [{"deep": ["\x00"]}], {"\x00": 1}]
)
def test_data_that_cannot_be_stored_fails(copied: object) -> None:
    given = event({"player_id": "alice", "copied": copied})
    made = decide(rule(data={"a": "{{ data.copied }}"}), given, ALICE, PlayerState(), NOW)
    assert (made.outcome, made.gate) == (Outcome.FAILED, "content")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ([], "takes an object"),
        ({"a": "{{ nope }}"}, "nope is unknown"),
        ({"a": {"b": "{{ data.x | launch }}"}}, "no filter"),
        ({"a": [[[[[[[[1]]]]]]]]}, "nested beyond 8"),
        ({str(n): n for n in range(101)}, "101 values, at most 100"),
        ({"a": object()}, "takes JSON"),
    ],
)
def test_a_data_template_that_cannot_be_used_is_refused_when_saved(shape: object, said: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        rule(data=shape)
    assert said in refused.value.problems[0][1]


def posted(data: object, **changes: object):
    given = event(data, type="notification.posted", **changes)
    compiled = compile_rule(POSTED)
    found = audience(compiled, given, NOW)
    return [
        decide(compiled, given, PlayerView(key=key), PlayerState(), NOW, reached=found)
        for key in found.players
    ]


def test_a_direct_post_is_decided_by_the_same_engine() -> None:
    data = {
        "players": ["alice", "bob"],
        "class": "live",
        "category": "match",
        "title": "Match {{ ready }}",
        "body": "Go",
        "data": {"m": 1},
    }
    made = posted(data, expires=NOW + timedelta(seconds=20))
    assert [decision.player for decision in made] == ["alice", "bob"]
    content = made[0].content
    assert content is not None
    assert (content.title, content.body, content.category) == ("Match {{ ready }}", "Go", "match")
    assert (content.class_, content.data) == (NotificationClass.LIVE, {"m": 1})
    assert content.expires == NOW + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": None}, "data.title is null"),
        ({"title": 7}, "data.title is number"),
        ({"title": "  "}, "data.title is empty"),
        ({"body": []}, "data.body is array"),
        ({"class": "reward"}, "data.class"),
        ({"class": []}, "data.class"),
        ({"category": "a b"}, "data.category"),
        ({"data": []}, None),
        ({"data": [1]}, "data.data is array"),
        ({"data": {"x": "y" * DATA_MAX}}, "bytes"),
    ],
)
def test_a_direct_post_of_the_wrong_shape_fails(change: dict[str, object], said: str | None) -> None:
    made = posted({"players": ["alice"], "title": "Hi"} | change)[0]
    assert made.outcome is (Outcome.FAILED if said else Outcome.SENT)
    assert (said or "") in made.error


def test_one_compiled_rule_serves_many_threads() -> None:
    compiled = rule(templates={"en": {"title": "{% assign x = data.level %}{{ x }} {{ data.absent }}"}})
    wrong: list[object] = []

    def run(level: int) -> None:
        for _ in range(100):
            made = decide(compiled, event({"player_id": "alice", "level": level}), ALICE, PlayerState(), NOW)
            if made.content is None or made.content.title != str(level) or len(made.content.notes) != 1:
                wrong.append(made)

    threads = [threading.Thread(target=run, args=(level,)) for level in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_ends_in_a_log_shows_no_text_of_a_player() -> None:
    given = event({"player_id": "alice", "secret": SECRET})
    player = PlayerView(key="alice", display_name=SECRET, attributes={"a": SECRET})
    made = decide(
        rule(templates={"en": {"title": "{{ data.secret }}"}}, data={"s": SECRET}),
        given,
        player,
        PlayerState(),
        NOW,
    )
    assert made.outcome is Outcome.SENT
    assert SECRET not in repr((given, player, made))
