"""Proving the promises of a game on its data: every room's checks, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from events.log.verify import partition_findings
from events.models import Game, Partition
from events.verifying import followed, outbox
from notifications.verifying import announcements, decisions, deliveries, inboxes, undecided
from players import verifying as players

SHOWN = 100
"""So many findings of one check are told in words; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is proved: what looks for contradictions, and what whoever sees one should do."""

    name: str
    findings: Callable[[int], Iterator[str]]  # takes the id of a partition or of a game
    remedy: str


OF_A_PARTITION = (
    Check(
        name="log",
        findings=partition_findings,
        remedy="Somebody or something wrote to the log's tables beside Clarion. Change nothing there: keep a copy of"
        " the database, find out who had its password, compare with a backup or with exported files (verifyexport"
        " proves those), and restore as docs/backup.md says.",
    ),
    Check(
        name="checkpoints",
        findings=followed,
        remedy="A checkpoint beyond the head means that the log was cut off or restored from before: restore as"
        " docs/backup.md says. Any other: pause that hub on the Hubs screen, look what moved its row, and only then"
        " resume; what it skipped is decided late from the rule's page, and folds are rebuilt.",
    ),
    Check(
        name="decisions",
        findings=decisions,
        remedy="Open the event by its place (partition:offset) in the console: its decisions are listed there. A"
        " doubled one has told its player twice: find out what wrote it before you remove a row. One about an event"
        " that is not in the log belongs to a restore, or to a log that was cut off.",
    ),
    Check(
        name="undecided",
        findings=undecided,
        remedy="The rule's page decides what it has missed: a dry run first, then for real; nobody is told twice.",
    ),
)
OF_A_GAME = (
    Check(
        name="outbox",
        findings=outbox,
        remedy="Clear the row's mark (appended) and it is appended within seconds; its id keeps it from coming twice."
        " Where another event has its id, look who appended that one.",
    ),
    Check(
        name="players",
        findings=players.findings,
        remedy="Rebuild the profiles of that stream (Replays in the console): it says what differed and puts it right."
        " A mark beyond what there is: run newepoch for the game once the cause is known, and clients start over.",
    ),
    Check(
        name="inboxes",
        findings=inboxes,
        remedy="Find out what wrote to that player's rows beside Clarion. Then put the counter right to what was"
        " counted, in one transaction that locks the player's row, and run newepoch for the game: clients load their"
        " inbox anew.",
    ),
    Check(
        name="announcements",
        findings=announcements,
        remedy="Set the game's sequence to the last one used, holding the game's row, and run newepoch for the game.",
    ),
    Check(
        name="deliveries",
        findings=deliveries,
        remedy="Find out what wrote that row beside Clarion, and cancel it while it is open: receivers"
        " tell repeats by the same id (webhook-id), a second row of one notification has the same.",
    ),
)


@dataclass(kw_only=True)
class Proof:
    """What verifying a game came to."""

    game: str
    events: int = 0  # in the partitions that were looked at
    found: int = 0
    findings: list[str] = field(default_factory=list)  # at most ``SHOWN`` of each check, and how many more
    remedies: dict[str, str] = field(default_factory=dict)  # what to do, by the check that found something


def prove(game: Game, partition: int | None = None, tell: Callable[[str], None] = lambda _: None) -> Proof:
    """Check all promises of a game, or only those about one partition, by its number.

    Reads pages of a few thousand rows, each as of one instant, so it takes little memory, and
    neither appending nor hubs wait for it. ``tell`` is told of each check before it begins.

    Raises:
        Partition.DoesNotExist: the game has no partition of that number.
    """
    proof = Proof(game=game.slug)
    for row in _partitions(game, partition):
        for check in OF_A_PARTITION:
            tell(f"{game.slug}/{row.number}: {check.name}")
            _take(proof, check, row.pk)
        proof.events += row.head
    for check in OF_A_GAME if partition is None else ():
        tell(f"{game.slug}: {check.name}")
        _take(proof, check, game.pk)
    return proof


def _partitions(game: Game, number: int | None) -> Sequence[Partition]:
    rows = Partition.objects.filter(game=game).order_by("number")
    return list(rows) if number is None else [rows.get(number=number)]


def _take(proof: Proof, check: Check, pk: int) -> None:
    findings = check.findings(pk)
    shown = list(islice(findings, SHOWN))
    more = sum(1 for _ in findings)
    proof.found += len(shown) + more
    proof.findings += shown
    if more:
        proof.findings.append(f"{check.name}: and {more} more findings")
    if shown:
        proof.remedies[check.name] = check.remedy
