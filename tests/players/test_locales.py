"""Locale tags: one way to write them, and the nearest one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from players.locales import LOCALE_MAX, LocaleInvalid, fallbacks, lookup, normalise_locale


@pytest.mark.parametrize(
    ("given_tag", "stored"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en_US", "en-US"),
        ("en-us", "en-US"),
        ("pt_br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("ZH_HANT_TW", "zh-Hant-TW"),
        ("zh-Hans", "zh-Hans"),
        ("es-419", "es-419"),
        ("sr-Latn-RS", "sr-Latn-RS"),
        ("de-CH-1901", "de-CH-1901"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("th-TH-u-ca-buddhist", "th-TH-u-ca-buddhist"),
        ("en-x-pirate", "en-x-pirate"),
        ("fil", "fil"),
        ("zh-yue-HK", "zh-yue-HK"),
    ],
)
def test_a_locale_is_stored_in_one_way(given_tag: str, stored: str) -> None:
    assert normalise_locale(given_tag) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "e",
        "english language",
        "en-",
        "-en",
        "en--US",
        "en US",
        "en-USA-",
        "12",
        "en.UTF-8",
        "en_US.UTF-8",
        "C-x",
        "en-x",
        "en-u",
        "en\n",
        "en\x00",
        "ｅｎ",
        "x" * 36,
        "en-" + "abcdefgh-" * 5,
        None,
        7,
        ["en"],
    ],
)
def test_what_is_no_locale_is_refused(text: object) -> None:
    with pytest.raises(LocaleInvalid, match="BCP 47"):
        normalise_locale(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant", "zh"]),
        ("en", ["en"]),
        ("", []),
        ("en-x-pirate", ["en-x-pirate", "en"]),
        ("th-TH-u-ca-buddhist", ["th-TH-u-ca-buddhist", "th-TH-u-ca", "th-TH", "th"]),
    ],
)
def test_a_locale_falls_back_step_by_step(locale: str, expected: list[str]) -> None:
    assert list(fallbacks(locale)) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("zh-Hant-TW", "zh-Hant"), ("zh-CN", "zh"), ("pt-PT", "en"), ("pt-BR", "pt-BR"), ("", "en")],
)
def test_the_nearest_locale_is_found(locale: str, expected: str) -> None:
    assert lookup(locale, {"en", "zh", "zh-Hant", "pt-BR"}, "en") == expected


@given(st.text(max_size=40) | st.from_regex(r"\A[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,8}){0,5}\Z"))
def test_normalising_again_changes_nothing(text: str) -> None:
    try:
        once = normalise_locale(text)
    except LocaleInvalid:
        return
    assert normalise_locale(once) == once
    assert len(once) <= LOCALE_MAX
    assert next(fallbacks(once)) == once
