"""The gate audience, for one player: is the player addressed, and still there."""

from dataclasses import replace

from notifications.engine.gates.port import Case
from notifications.engine.outcomes import GateResult, Outcome


def judge(case: Case) -> GateResult:
    """Pass a player whom the rule addresses and who was not erased."""
    found = case.reached.gates[-1]
    if case.player.erased:
        return replace(
            found, passed=False, values={"erased": True}, reason="erased", outcome=Outcome.SUPPRESSED
        )
    if case.player.key not in case.reached.known:
        return replace(found, passed=False, reason="not_addressed", outcome=Outcome.SUPPRESSED)
    return found
