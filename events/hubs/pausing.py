"""Pausing checkpoints: their events wait in the log until somebody lets them go on."""

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction

from events import staff
from events.lanes import Lane
from events.models import Checkpoint


def pause(rows: Sequence[Checkpoint], by: str, reason: str) -> int:
    """Pause checkpoints and return how many were not paused before.

    What is being worked on now is finished or taken back, never half done.
    """
    return _set(rows, by, reason, paused=True)


def resume(rows: Sequence[Checkpoint], by: str, reason: str) -> int:
    """Let paused checkpoints go on, and return how many. Whoever watches their lane finds the work."""
    return _set(rows, by, reason, paused=False)


@transaction.atomic
def _set(rows: Sequence[Checkpoint], by: str, reason: str, *, paused: bool) -> int:
    locked = (
        Checkpoint.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk__in=[row.pk for row in rows], paused=not paused)
        .select_related("partition")
        .order_by("id")
    )
    changed = list(locked)
    Checkpoint.objects.filter(pk__in=[row.pk for row in changed]).update(paused=paused)
    told: dict[tuple[int, str, int], list[int]] = defaultdict(list)
    for row in changed:
        told[row.partition.game_id, row.hub, row.lane].append(row.partition.number)
    for (game_id, hub, lane), partitions in sorted(told.items()):
        staff.note(
            game_id, "hub.paused" if paused else "hub.resumed", by, hub=hub, lane=Lane(lane).label,
            partitions=sorted(partitions), reason=reason,
        )  # fmt: skip
    return len(changed)
