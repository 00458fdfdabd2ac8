"""Presence by lease: a player is here while a gateway whose lease holds has a socket of theirs."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import transaction

from players.models import Gateway, Presence

LEASE = timedelta(seconds=60)
RENEW_S = 20.0
HOST_MAX = 120


def renew(gateway: uuid.UUID, host: str, sockets: int) -> bool:
    """Take or renew a gateway's lease.

    True when it was taken anew: either it is the first time, or the lease had lapsed (after
    an outage, say) and was swept with the presence of its players. Then all of them have
    to be said to have ``arrived`` again.
    """
    now = datetime.now(UTC)
    lease = now + LEASE
    if Gateway.objects.filter(id=gateway).update(lease_until=lease, sockets=sockets):
        return False
    Gateway.objects.bulk_create(
        [Gateway(id=gateway, host=host[:HOST_MAX], sockets=sockets, started=now, lease_until=lease)],
        ignore_conflicts=True,
    )
    return True


def arrived(gateway: uuid.UUID, player_ids: Iterable[int]) -> None:
    """Note players who have their first socket on this gateway, whose lease must hold. In their order."""
    now = datetime.now(UTC)
    Presence.objects.bulk_create(
        [
            Presence(player_id=player_id, gateway_id=gateway, since=now)
            for player_id in sorted(set(player_ids))
        ],
        ignore_conflicts=True,
    )


def left(gateway: uuid.UUID, player_ids: Iterable[int]) -> None:
    """Note players who have no socket on this gateway any more."""
    Presence.objects.filter(gateway_id=gateway, player_id__in=set(player_ids)).delete()


def close(gateway: uuid.UUID) -> None:
    """End a gateway in order: its players are gone at once."""
    with transaction.atomic():
        Presence.objects.filter(gateway_id=gateway).delete()
        Gateway.objects.filter(id=gateway).delete()


def is_present(player_id: int) -> bool:
    """Tell whether a player has a socket anywhere."""
    return bool(present([player_id]))


def present(player_ids: Iterable[int]) -> set[int]:
    """Return those of these players that are here."""
    held = Presence.objects.filter(player_id__in=set(player_ids), gateway__lease_until__gt=datetime.now(UTC))
    return set(held.values_list("player_id", flat=True))


@transaction.atomic
def sweep() -> int:
    """Remove gateways whose lease has lapsed, with their players' presence; return how many.

    Their rows are locked first, so that a gateway which renews at this moment either keeps
    everything or learns from ``renew`` that it has to begin again.
    """
    rows = Gateway.objects.select_for_update(skip_locked=True).filter(lease_until__lt=datetime.now(UTC))
    lapsed = list(rows.order_by("id").values_list("id", flat=True))
    Presence.objects.filter(gateway_id__in=lapsed).delete()
    Gateway.objects.filter(id__in=lapsed).delete()
    return len(lapsed)
