"""Which channels there are. Each is registered when the app is ready."""

from notifications.delivery.channel import Channel

_channels: dict[str, Channel] = {}


def register(channel: Channel) -> None:
    """Add a channel. Registering the same name again replaces it (reloads, tests)."""
    _channels[channel.name] = channel


def unregister(name: str) -> None:
    """Forget a channel; its deliveries wait, until they are too old."""
    _channels.pop(name, None)


def find(name: str) -> Channel | None:
    """Return the channel of this name, or None where no app has registered it (any more)."""
    return _channels.get(name)


def names() -> tuple[str, ...]:
    """Return all names in the order of registration."""
    return tuple(_channels)
