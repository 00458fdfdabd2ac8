"""How the other side of a channel is doing, in plain words."""

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html

from events.admin.cells import EMPTY, Cell, at, beside
from notifications.models import Outlet

COLOURS = {
    "takes": "success", "fails": "warning", "left alone": "danger", "being probed": "warning", "off": "info",
    "not tried": "info",
}  # fmt: skip


def state_of(outlet: Outlet | None, now: datetime | None = None) -> str:
    """Return a key of ``COLOURS``."""
    if outlet is None or not outlet.enabled:
        return "off"
    if outlet.closed_until is not None:
        return "left alone" if outlet.closed_until > (now or timezone.now()) else "being probed"
    if outlet.failures or _refused_last(outlet):
        return "fails"
    return "takes" if outlet.last_success else "not tried"


def explained(outlet: Outlet | None) -> Cell:
    """Say what that means for deliveries."""
    state = state_of(outlet)
    if outlet is None or state == "off":
        return "Switched off: nothing new is queued, and what waits goes on waiting for a day."
    if outlet.closed_until is not None:
        return format_html(
            "{}. What is due waits, and uses up no try. {} {}.",
            f"{outlet.failures} tries in a row have failed"
            if outlet.failures
            else "It asked to be left alone",
            "The next is tried alone, to see, at"
            if state == "left alone"
            else "One alone is tried, to see, since",
            at(outlet.closed_until),
        )
    if state == "fails":
        return (
            f"{outlet.failures} tries in a row have failed; after five it is left alone for a while."
            if outlet.failures
            else "It answers, and refused what it was sent last."
        )
    return "Deliveries go as they come." if state == "takes" else "Nothing was sent there yet."


def last_success(outlet: Outlet | None) -> Cell:
    """Say when it last took something."""
    return at(outlet.last_success) if outlet else EMPTY


def last_failure(outlet: Outlet | None) -> Cell:
    """Say when a try last failed, and of what."""
    if outlet is None or outlet.last_failure is None:
        return EMPTY
    return beside([at(outlet.last_failure), outlet.last_fault])


def _refused_last(outlet: Outlet) -> bool:
    failure, success = outlet.last_failure, outlet.last_success
    return failure is not None and (success is None or success < failure)
