"""The decision engine: pure. No Django, no clock, no database, no file.

The same events, players, states and times give the same decisions, always. Live hubs,
previews, backtests, shadow runs and explanations call the same ``decide``.

A hub's batch::

    rule = compile_rule(revision.definition, rule_id=..., revision_id=...)   # keep it, per revision
    event = EventView(id=..., ..., data=parsed)                              # one per event
    found = audience(rule, event, now)                                       # once per rule and event
    if found.record is not None:
        store(found.record)                                                  # player ''
    for key in found.players:
        decision = decide(rule, event, player_view(key), PlayerState(), now, reached=found)

``compile_rule`` raises ``RuleInvalid``. Beyond it nothing raises because of what an
event, a player or a rule holds. ``MemoryError`` and what interrupts a process do pass.

A definition (all that deciding needs, as JSON; unknown fields are refused)::

    {
      "event_type": "guild.invite.received",
      "condition": "data.level >= 10",                 # CEL on data and event; '' is always true
      "audience": {"path": "data.player_id"},          # or {"players": ["p1"]}; default data.player_id
      "class": "inbox",                                # or "live"
      "category": "social",                            # 1-40 letters, digits, - and _
      "ttl_s": null,                                   # seconds from the event; live needs it or expirytime
      "default_locale": "en",                          # must be among the templates
      "templates": {"en": {"title": "{{ data.guild }}", "body": "..."}},    # Liquid; 1-50 locales
      "data": {"guild": "{{ data.guild_id }}"},        # optional; sent along, types kept
      "channels": ["webhook"]                          # optional; by which it is brought as well
    }

The built-in rule of direct posts instead has ``"content": "posted"`` (``POSTED``): class,
category, title, body, data and channels come from the event's data as they are, and its audience is
``data.players``.

Titles are one line of at most 200 characters, bodies have at most 4,000; longer ones are
cut with an ellipsis, which a note records. Both are plain text: nothing is escaped, and
clients must show them as text. Names that templates use and do not find render as nothing
and become notes; ``check`` refuses them when a rule is saved.

Threads: compiled rules, players and answers may be shared; an ``EventView`` is for one
thread at a time.

Bounds (of what an event or a rule can cost): conditions of 2,000 characters, two nested
loops, no ``map``, about 200,000 steps (40 ms); templates of 500 and 8,000 characters, 500
turns of loops, 256 KiB of output; audiences of 10,000.

A later gate (consent, collapse, digest, quiet hours, cap) is a file in ``gates/`` and a
line in its tuple; what it needs to know becomes a field of ``PlayerState`` with a default.
"""

from collections.abc import Mapping
from typing import Any, Final

from notifications.engine.checking import Preview, check, check_compiled, preview, reaches
from notifications.engine.deciding import audience, decide
from notifications.engine.errors import RuleInvalid
from notifications.engine.explaining import explain, explain_stored
from notifications.engine.outcomes import (
    Content,
    Decision,
    GateResult,
    Missed,
    NotificationClass,
    Outcome,
    Reached,
    stored_gates,
)
from notifications.engine.rules import CompiledRule, compile_rule
from notifications.engine.views import EventView, PlayerState, PlayerView

POSTED: Final[Mapping[str, Any]] = {
    "event_type": "notification.posted",
    "audience": {"path": "data.players"},
    "content": "posted",
}

__all__ = [
    "POSTED",
    "CompiledRule",
    "Content",
    "Decision",
    "EventView",
    "GateResult",
    "Missed",
    "NotificationClass",
    "Outcome",
    "PlayerState",
    "PlayerView",
    "Preview",
    "Reached",
    "RuleInvalid",
    "audience",
    "check",
    "check_compiled",
    "compile_rule",
    "decide",
    "explain",
    "explain_stored",
    "preview",
    "reaches",
    "stored_gates",
]
