"""Tables of the events room: tenants and their keys, the log, and what follows it."""

from events.models.alarms import (
    Alarm,
    AlarmLimit,
    AlarmMute,
    AlarmRecipient,
    AlarmTelling,
    Heartbeat,
    ProducerMinute,
    Severity,
)
from events.models.erasures import Erasure
from events.models.exports import ExportedPart
from events.models.games import ApiKey, EventType, Game, IdempotencyKey, RefusedLane
from events.models.hubs import Checkpoint, LaneSample
from events.models.letters import DeadLetter, LetterState, LetterStep, RetryRound, Skip
from events.models.lineage import Lineage
from events.models.log import Event, OutboxEvent, Partition
from events.models.replays import Replay
from events.models.retention import Retention, Sweep
from events.models.storage import StorageSample
from events.models.witnesses import Witness

__all__ = [
    "Alarm",
    "AlarmLimit",
    "AlarmMute",
    "AlarmRecipient",
    "AlarmTelling",
    "ApiKey",
    "Checkpoint",
    "DeadLetter",
    "Erasure",
    "Event",
    "EventType",
    "ExportedPart",
    "Game",
    "Heartbeat",
    "IdempotencyKey",
    "LaneSample",
    "LetterState",
    "LetterStep",
    "Lineage",
    "OutboxEvent",
    "Partition",
    "ProducerMinute",
    "RefusedLane",
    "Replay",
    "Retention",
    "RetryRound",
    "Severity",
    "Skip",
    "StorageSample",
    "Sweep",
    "Witness",
]
