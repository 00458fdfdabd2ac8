"""What is rendered the short way reads as Liquid would have written it."""

from hypothesis import given
from hypothesis import strategies as st

from notifications.engine.plain import filled, parts_of
from notifications.engine.templates import compile_template

NAMES = ("name", "size", "first", "last", "deep")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda steps: ".".join(["data", *steps]))
SOURCES = st.lists(
    st.text(alphabet="ab é}%\n", max_size=6)
    | PATHS.map(lambda path: f"{{{{ {path} }}}}")
    | PATHS.map(lambda path: f"{{{{- {path} -}}}}"),
    max_size=5,
).map("".join)  # fmt: skip


@given(source=SOURCES, data=st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_it_is_what_liquid_writes_or_is_left_to_liquid(source, data) -> None:
    try:
        template = compile_template(source, 500)
    except ValueError:  # braces that came together: no template
        return
    if template.parts is None:
        return
    words = {"data": data, "event": {}, "player": {}}
    text = filled(template.parts, words)
    missed: dict[str, None] = {}
    slow = template._render(words, {"locale": "en", "timezone": ""}, missed) if text is not None else None
    assert text == slow
    assert not missed


def test_what_filters_loops_or_chooses_is_left_to_liquid() -> None:
    for source in (
        "{{ data.a | upcase }}",
        "{% if data.a %}x{% endif %}",
        "{{ data.a[0] }}",
        "{{ data['a b'] | default: 'x' }}",
        "{{ 'text' }}",
        "{% assign a = data.a %}{{ a }}",
    ):
        assert parts_of(compile_template(source, 500).parsed) is None, source


def test_what_is_missing_or_no_text_is_left_to_liquid() -> None:
    parts = parts_of(compile_template("{{ data.a }}", 500).parsed)
    assert parts is not None
    for data in ({}, {"a": None}, {"a": True}, {"a": 1.0}, {"a": [1]}, {"a": {}}, {"a": 10**5000}, "a", None):
        assert filled(parts, {"data": data}) is None
    assert filled(parts, {"data": {"a": 7}}) == "7"
