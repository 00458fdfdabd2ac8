"""What is kept of a failure: its class and its places, never a value. From these comes its fingerprint."""

import hashlib
import traceback
from dataclasses import dataclass
from types import TracebackType

HUNG = "Hung"
"""The cause of an event whose projection does not come back."""
DIED = "ProcessEnded"
"""The cause of an event that ended the process that worked on it, each time."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why something could not be processed."""

    cause: str  # class of the error
    fingerprint: str  # 16 hexadecimal digits
    traceback: str  # places, from the outside in


def failure(hub: str, error: BaseException) -> Failure:
    """Describe an error; its message is left out, since it may carry a player's data."""
    cause = type(error).__name__
    chain = _chain(error.__traceback__)
    return Failure(
        cause=cause,
        fingerprint=fingerprint(hub, cause, chain),
        traceback="".join(traceback.format_tb(error.__traceback__)),
    )


def hung(hub: str, stack: traceback.StackSummary) -> Failure:
    """Describe a try that was ended while it hung, by where it stood, from the projection's code inwards.

    The fingerprint takes the outermost place only: what computes for ever stands elsewhere each time.
    """
    chain = tuple(f"{place.filename}:{place.name}" for place in stack[:1])
    return Failure(
        cause=HUNG, fingerprint=fingerprint(hub, HUNG, chain), traceback="".join(traceback.format_list(stack))
    )


def died(hub: str) -> Failure:
    """Describe tries that ended with their processes: nobody was left to see where."""
    return Failure(cause=DIED, fingerprint=fingerprint(hub, DIED, ()), traceback="")


def fingerprint(hub: str, cause: str, chain: tuple[str, ...]) -> str:
    """Return what failures of the same kind share: hub, class of the error, places (module and function).

    Lines are left out, so that it outlives a release that moves them; values and messages too.
    """
    return hashlib.sha256("\n".join((hub, cause, *chain)).encode()).hexdigest()[:16]


def _chain(trace: TracebackType | None) -> tuple[str, ...]:
    """Return each place once, in the order of first appearance: recursion has no depth here."""
    places: dict[str, None] = {}
    while trace is not None:
        frame = trace.tb_frame
        places[f"{frame.f_globals.get('__name__', '?')}:{frame.f_code.co_name}"] = None
        trace = trace.tb_next
    return tuple(places)
