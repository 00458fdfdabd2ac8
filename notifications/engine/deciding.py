"""The one place where it is decided: whom a rule reaches, and what each player gets. Pure.

Nothing here raises on account of an event: what goes wrong is a decision ``failed``.
"""

from datetime import datetime

from notifications.engine.audiences import Found
from notifications.engine.gates import GATES, Case
from notifications.engine.gates.expiry import expiry_of
from notifications.engine.outcomes import Decision, GateResult, Missed, Outcome, Reached
from notifications.engine.rules import CompiledRule
from notifications.engine.templates import RenderFailed
from notifications.engine.views import EventView, PlayerState, PlayerView

_ALWAYS = GateResult(name="condition", passed=True)


def audience(rule: CompiledRule, event: EventView, now: datetime) -> Reached | Missed:
    """Evaluate the condition and find the players, once for each event and rule.

    Store ``record`` of the answer, if there is one, with player '' (it is a failure before
    a player is known, or an audience without anybody), and ``decide`` for each of ``players``.
    """
    condition = rule.condition.judge(event) if rule.condition else _ALWAYS
    if not condition.passed:
        return Missed(decision=_stopped(rule, event, now, (condition,)))
    found = rule.audience.find(event)
    gates = (condition, found.gate)
    if not found.players:
        return Missed(decision=_stopped(rule, event, now, gates))
    record = _stopped(rule, event, now, (condition, _left_out(found))) if found.rejected else None
    return Reached(gates=gates, players=found.players, record=record)


def decide(
    rule: CompiledRule,
    event: EventView,
    player: PlayerView,
    state: PlayerState,
    now: datetime,
    *,
    reached: Reached | Missed | None = None,
) -> Decision:
    """Decide what one player gets. Live, preview, backtest, shadow and explain all call this.

    Args:
        rule: the compiled revision.
        event: what happened.
        player: about whom it is decided.
        state: what is known of the player's past.
        now: the time to compare with; nothing here reads a clock.
        reached: what ``audience`` answered for this rule and event. Left out, it is found
            again; give it when deciding for many players.
    """
    found = audience(rule, event, now) if reached is None else reached
    if isinstance(found, Missed):
        return found.decision.about(player.key)
    gates: list[GateResult] = [found.gates[0]]
    try:
        class_ = rule.content.class_for(event)
        expires = expiry_of(event, rule.ttl_s)
        case = Case(
            rule=rule,
            event=event,
            reached=found,
            player=player,
            state=state,
            now=now,
            class_=class_,
            expires=expires,
        )
        for gate in GATES:
            gates.append(gate(case))
            if not gates[-1].passed:
                return _stopped(rule, event, now, tuple(gates), player)
        content = rule.content.render(event, player, expires)
    except RenderFailed as failed:
        gates.append(_content_failed(failed))
        return _stopped(rule, event, now, tuple(gates), player)
    return Decision(
        rule_id=rule.rule_id,
        revision_id=rule.revision_id,
        event_id=event.id,
        player=player.key,
        outcome=Outcome.SENT,
        gates=tuple(gates),
        content=content,
        now=now,
        profile_revision=player.profile_revision,
    )


def _stopped(
    rule: CompiledRule,
    event: EventView,
    now: datetime,
    gates: tuple[GateResult, ...],
    player: PlayerView | None = None,
) -> Decision:
    last = gates[-1]
    return Decision(
        rule_id=rule.rule_id,
        revision_id=rule.revision_id,
        event_id=event.id,
        player=player.key if player else "",
        outcome=last.outcome or Outcome.SUPPRESSED,
        gate=last.name,
        error=last.error,
        gates=gates,
        now=now,
        profile_revision=player.profile_revision if player else 0,
    )


def _left_out(found: Found) -> GateResult:
    return GateResult(
        name="audience",
        passed=False,
        values=found.gate.values,
        reason="not_players",
        outcome=Outcome.FAILED,
        error=f"audience: {found.gate.values['path']}: {found.rejected} left out, not a player's id",
    )


def _content_failed(failed: RenderFailed) -> GateResult:
    return GateResult(
        name="content",
        passed=False,
        reason="not_rendered",
        outcome=Outcome.FAILED,
        error=f"content: {failed}",
    )
