"""Rules: a revision's definition, checked and compiled into what can be evaluated. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from notifications.engine.audiences import PLAYERS_MAX, Audience, PlayersAt, fault_of, named
from notifications.engine.conditions import Condition, ConditionInvalid, compile_condition
from notifications.engine.content import (
    CATEGORY_MAX,
    CHANNELS_MAX,
    Posted,
    Templates,
    Texts,
    are_channels,
    is_category,
)
from notifications.engine.data_template import compile_data
from notifications.engine.errors import RuleInvalid
from notifications.engine.outcomes import NotificationClass
from notifications.engine.paths import PathInvalid, parse_path
from notifications.engine.templates import (
    BODY_SOURCE_MAX,
    TITLE_SOURCE_MAX,
    Template,
    TemplateInvalid,
    compile_template,
)
from players.locales import LocaleInvalid, normalise_locale

TTL_MAX_S = 366 * 24 * 3600
EVENT_TYPE_MAX = 255  # characters
LOCALES_MAX = 50
DEFAULT_PATH = "data.player_id"
FIELDS = (
    "event_type", "condition", "audience", "class", "category", "ttl_s",
    "default_locale", "templates", "data", "content", "channels",
)  # fmt: skip

_CLASSES = (NotificationClass.INBOX, NotificationClass.LIVE)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class CompiledRule:
    """A rule's revision, ready to evaluate; immutable, shared between threads."""

    rule_id: int
    revision_id: int
    event_type: str
    condition: Condition | None  # None is always true
    audience: Audience
    ttl_s: int | None
    content: Templates | Posted


def compile_rule(definition: Mapping[str, Any], *, rule_id: int = 0, revision_id: int = 0) -> CompiledRule:
    """Compile the ``definition`` of a rule's revision; see the package for its shape.

    Costs milliseconds: do it once per revision and keep the result.

    Raises:
        RuleInvalid: with every problem found, each with its field.
    """
    form = _Form(definition)
    rule = CompiledRule(
        rule_id=rule_id,
        revision_id=revision_id,
        event_type=form.event_type(),
        condition=form.condition(),
        audience=form.audience(),
        ttl_s=form.ttl_s(),
        content=form.content(),
    )
    if form.problems:
        raise RuleInvalid(form.problems)
    return rule


class _Form:
    """Reads a definition field by field and collects every problem; what is wrong reads as harmless."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.definition = definition
        self.problems: list[tuple[str, str]] = [
            (str(name), f"is unknown; there are {', '.join(FIELDS)}")
            for name in definition
            if name not in FIELDS
        ]

    def event_type(self) -> str:
        value = self._text("event_type", "")
        if "event_type" not in dict(self.problems) and not 0 < len(value) <= EVENT_TYPE_MAX:
            self._refuse("event_type", f"takes 1 to {EVENT_TYPE_MAX} characters")
        return value

    def condition(self) -> Condition | None:
        source = self._text("condition", "")
        return self._attempt("condition", lambda: compile_condition(source), ConditionInvalid)

    def audience(self) -> Audience:
        value = self.definition.get("audience") or {"path": DEFAULT_PATH}
        if isinstance(value, Mapping) and value.keys() == {"players"}:
            return self._players(value["players"])
        if isinstance(value, Mapping) and value.keys() == {"path"}:
            text = value["path"] or DEFAULT_PATH
            path = self._attempt("audience", lambda: parse_path(str(text)), PathInvalid)
            if path is not None:
                return PlayersAt(path=path)
        else:
            self._refuse("audience", 'takes {"path": "data.player_id"} or {"players": ["p1", "p2"]}')
        return named(())

    def _players(self, players: Any) -> Audience:
        if not isinstance(players, list) or not 0 < len(players) <= PLAYERS_MAX:
            self._refuse("audience", f"players takes an array of 1 to {PLAYERS_MAX} players' ids")
            return named(())
        faults = {fault for fault in map(fault_of, players) if fault}
        if faults:
            self._refuse("audience", f"players holds what is no player's id: {', '.join(sorted(faults))}")
            return named(())
        return named(players)

    def ttl_s(self) -> int | None:
        value = self.definition.get("ttl_s")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= TTL_MAX_S:
            self._refuse("ttl_s", f"takes whole seconds from 1 to {TTL_MAX_S}, or nothing")
            return None
        return value

    def content(self) -> Templates | Posted:
        kind = self.definition.get("content", "templates")
        if kind == "posted":
            for name in ("class", "category", "templates", "data", "default_locale", "channels"):
                if name in self.definition:
                    self._refuse(name, 'has no meaning with content "posted": the event brings it')
            return Posted()
        if kind != "templates":
            self._refuse("content", 'takes "templates" or "posted"')
        return self._templates()

    def _templates(self) -> Templates:
        texts = self._texts()
        default = self._locale("default_locale", self.definition.get("default_locale", "en"))
        if texts and default and default not in texts:
            self._refuse("templates", f"there is none in the default locale {default}")
        return Templates(
            class_=self._class(),
            category=self._category(),
            default_locale=default or "en",
            texts=texts,
            data=compile_data(self.definition.get("data"), self._refuse),
            channels=self._channels(),
        )

    def _texts(self) -> dict[str, Texts]:
        given = self.definition.get("templates")
        if not isinstance(given, Mapping) or not 0 < len(given) <= LOCALES_MAX:
            self._refuse("templates", f'takes 1 to {LOCALES_MAX} locales, as in {{"en": {{"title": "Hi"}}}}')
            return {}
        texts: dict[str, Texts] = {}
        for tag, pair in given.items():
            locale = self._locale(f"templates.{tag}", tag)
            if locale in texts:
                self._refuse(f"templates.{tag}", f"there is already one in {locale}")
            elif locale:
                texts[locale] = self._pair(f"templates.{tag}", pair)
        return texts

    def _pair(self, field: str, pair: Any) -> Texts:
        if not isinstance(pair, Mapping) or not pair.keys() <= {"title", "body"}:
            self._refuse(field, 'takes {"title": "...", "body": "..."}')
            pair = {"title": "-"}
        if not str(pair.get("title") or "").strip():
            self._refuse(f"{field}.title", "is empty")
        title = self._template(f"{field}.title", pair.get("title") or "", TITLE_SOURCE_MAX)
        return Texts(
            title=title, body=self._template(f"{field}.body", pair.get("body") or "", BODY_SOURCE_MAX)
        )

    def _template(self, field: str, source: Any, limit: int) -> Template:
        text = self._checked(field, source)
        compiled = self._attempt(field, lambda: compile_template(text, limit), TemplateInvalid)
        return compiled or compile_template("", limit)

    def _class(self) -> NotificationClass:
        value = self.definition.get("class", NotificationClass.INBOX)
        if value not in _CLASSES:
            self._refuse("class", f"takes {' or '.join(_CLASSES)}")
            return NotificationClass.INBOX
        return NotificationClass(value)

    def _category(self) -> str:
        value = self._text("category", "general")
        if not is_category(value):
            self._refuse("category", f"takes 1 to {CATEGORY_MAX} letters, digits, - and _")
        return value

    def _channels(self) -> tuple[str, ...]:
        value = self.definition.get("channels", [])
        if not are_channels(value):
            self._refuse("channels", f'takes at most {CHANNELS_MAX} different names, as in ["webhook"]')
            return ()
        return tuple(value)

    def _locale(self, field: str, tag: Any) -> str | None:
        return self._attempt(field, lambda: normalise_locale(tag), LocaleInvalid)

    def _text(self, field: str, default: str) -> str:
        return self._checked(field, self.definition.get(field, default))

    def _checked(self, field: str, value: Any) -> str:
        if not isinstance(value, str):
            self._refuse(field, "takes text")
            return ""
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            self._refuse(field, "holds a NUL character or half a surrogate pair")
            return ""
        return value

    def _attempt(self, field: str, make: Callable[[], T], refused: type[ValueError]) -> T | None:
        try:
            return make()
        except refused as error:
            self._refuse(field, str(error))
            return None

    def _refuse(self, field: str, message: str) -> None:
        self.problems.append((field, message))
