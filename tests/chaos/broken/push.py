"""A transport as the port allows it: it loses, repeats and swaps."""

from notifications.push.transport import Change, Changes, Message, Receive, Subscribed, Transport
from tests.chaos.broken.switch import dice, on, tell

LOST, REPEATED, SWAPPED = 0.3, 0.1, 0.1


class Unreliable(Transport):
    """Hands on to a sound one what it does not lose."""

    def __init__(self, sound: Transport) -> None:
        """Take the sound one."""
        self._sound = sound
        self._late: list[Change] = []

    def publish(self, message: Message) -> None:
        """Lose 30 % of all changes, send 10 % twice, and 10 % only after the next ones."""
        if not isinstance(message, Changes) or not on("push"):
            self._sound.publish(message)
            return
        late, self._late = self._late, []
        kept: list[Change] = []
        for change in message.changes:
            found = dice()
            if found < LOST:
                tell("lost")
            elif found < LOST + SWAPPED:
                tell("swapped")
                self._late.append(change)
            elif found < LOST + SWAPPED + REPEATED:
                tell("repeated")
                kept += [change, change]
            else:
                kept.append(change)
        if kept or late:
            self._sound.publish(Changes([*kept, *late]))

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive what has come through."""
        await self._sound.run(receive, subscribed)
