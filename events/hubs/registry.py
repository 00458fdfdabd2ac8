"""Which hubs there are. Rooms register theirs when their app is ready."""

from collections.abc import Callable

from events import hints
from events.errors import UnknownHub
from events.hubs.projection import Hub

BulkWork = Callable[[float], bool]
"""Works for about so many seconds on rows that hubs have written; True when work is left."""

_hubs: dict[str, Hub] = {}
_bulk_work: dict[str, BulkWork] = {}


def register(hub: Hub) -> None:
    """Add a hub. Registering the same name again replaces it (reloads, tests)."""
    _hubs[hub.name] = hub
    hints.listeners[hub.name] = hub.lanes


def hub(name: str) -> Hub:
    """Return the hub of this name.

    Raises:
        UnknownHub: no app has registered it.
    """
    try:
        return _hubs[name]
    except KeyError:
        raise UnknownHub(name, sorted(_hubs)) from None


def hubs() -> tuple[Hub, ...]:
    """Return all hubs in the order of registration."""
    return tuple(_hubs.values())


def unregister(name: str) -> None:
    """Forget a hub; its checkpoints stay."""
    _hubs.pop(name, None)
    hints.listeners.pop(name, None)


def register_bulk_work(name: str, work: BulkWork) -> None:
    """Add work that is done beside the bulk lane, by workers and by whoever drains it by age."""
    _bulk_work[name] = work


def bulk_work() -> tuple[BulkWork, ...]:
    """Return all of it."""
    return tuple(_bulk_work.values())
