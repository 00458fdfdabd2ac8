"""The channels that a rule may use besides inbox and socket, and by which of them it would really go."""

from collections.abc import Collection

from notifications.delivery import outlets, registry
from notifications.engine import NotificationClass


def offered(chosen: Collection[str]) -> list[tuple[str, str]]:
    """Return the choices of a form: every channel, and what was chosen before and is no longer one."""
    known = {name: registry.find(name) for name in (*registry.names(), *chosen)}
    return [
        (name, f"{name}: {each.about if each else 'this version does not have it'}")
        for name, each in known.items()
    ]


def missing(game_id: int, chosen: Collection[str]) -> list[str]:
    """Return a sentence for each chosen channel that the game has not set up."""
    known = outlets.known(game_id)
    return [
        f"This game has not set up {name} yet{_where(name)}. Do that first, or leave it out."
        for name in chosen
        if name not in known
    ]


def switched_off(game_id: int, chosen: Collection[str]) -> list[str]:
    """Return a sentence for each chosen channel that is set up and would bring nothing now."""
    ready, known = outlets.ready(game_id), outlets.known(game_id)
    return [
        f"By {name} nothing goes now: this game has switched it off{_where(name)}."
        for name in chosen
        if name in known and name not in ready
    ]


def roads(game_id: int, class_: str, chosen: Collection[str]) -> str:
    """Say by which ways a notification would go."""
    first = "connected devices" if class_ == NotificationClass.LIVE else "the inbox and connected devices"
    ready = outlets.ready(game_id)
    others = [f"by {name}" for name in chosen if name in ready]
    return f"It goes to {first}{', and ' if others else ''}{', '.join(others)}."


def _where(name: str) -> str:
    channel = registry.find(name)
    return f" (under {channel.set_up_under})" if channel and channel.set_up_under else ""
