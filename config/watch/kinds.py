"""Everything that is watched: its limit, how long it must hold, what it means for players.

Every kind has an entry in docs/runbook.md, whose heading is its title.
"""

from dataclasses import dataclass, replace

from django.utils.text import slugify

from events.models import AlarmLimit, Severity

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One sort of alarm."""

    name: str
    title: str
    severity: Severity
    unit: str
    limit: float  # the default; the condition holds beyond it (disk: below it)
    least: float = 0.0  # what the limit may be set to
    most: float = 86_400.0
    holds_s: float  # so long it must hold before the alarm opens
    clears_s: float = 60.0  # so long it must be gone before the alarm ends
    holds_for_limit: bool = False  # the limit itself is for how long it must hold
    means: str  # for players, in plain words
    enabled: bool = True

    @property
    def anchor(self) -> str:
        """The entry's place in the runbook."""
        return slugify(self.title)

    @property
    def must_hold_s(self) -> float:
        """For how long its condition must hold."""
        return self.limit if self.holds_for_limit else self.holds_s


ALL = (
    Kind(
        name="database", title="Database away", severity=CRITICAL, unit="s", limit=15, least=5, most=600,
        holds_s=0,
        means="Nothing new reaches players, and games get 503 with Retry-After. Sockets stay open; nothing that"
        " was accepted is lost.",
    ),
    Kind(
        name="hub_stalled", title="Hub stalled", severity=CRITICAL, unit="s", limit=15, least=2, holds_s=5,
        means="The events of that lane wait: what follows from them does not reach players until it goes on.",
    ),
    Kind(
        name="lag_urgent", title="Urgent lane late", severity=CRITICAL, unit="s", limit=2, least=0.5, holds_s=10,
        means="Invitations and matches reach players late, and what expires in seconds may not reach them at all.",
    ),
    Kind(
        name="lag_normal", title="Normal lane late", severity=WARNING, unit="s", limit=15, least=1, holds_s=15,
        means="Most notifications come late by that long.",
    ),
    Kind(
        name="lag_bulk", title="Bulk lane late", severity=WARNING, unit="s", limit=300, least=5, holds_s=60,
        means="Messages to many, and what bulk events lead to, come late. Urgent and normal ones overtake them.",
    ),
    Kind(
        name="undelivered", title="Urgent notifications not arriving", severity=CRITICAL, unit="s", limit=20,
        least=5, most=600, holds_s=10,
        means="Players who are connected do not get what was made for them: they see it when they load their inbox.",
    ),
    Kind(
        name="gateways", title="No gateway", severity=CRITICAL, unit="s", limit=30, least=5, most=3_600, holds_s=0,
        means="Nobody is connected: nothing pops up in any game, and what lives for seconds is missed. Inboxes fill.",
    ),
    Kind(
        name="dead_letters", title="Dead letters growing", severity=WARNING, unit="in 10 min", limit=0,
        most=100_000, holds_s=0,
        means="The players of the parked streams get nothing of that lane any more until somebody retries or skips.",
    ),
    Kind(
        name="rule_failing", title="Rule failing", severity=WARNING, unit="in 10 min", limit=0, most=1_000_000,
        holds_s=0,
        means="Who should have got a notification of that rule gets none.",
    ),
    Kind(
        name="deliveries", title="Deliveries failing", severity=WARNING, unit="dead in 10 min", limit=0,
        most=1_000_000, holds_s=0,
        means="Copies by e-mail, webhook or push do not arrive. Inboxes and sockets have everything.",
    ),
    Kind(
        name="deliveries_late", title="Deliveries late", severity=WARNING, unit="s", limit=300, least=30, holds_s=30,
        means="Copies by e-mail, webhook or push come late. Inboxes and sockets have everything.",
    ),
    Kind(
        name="refusing", title="Back-pressure refusing", severity=CRITICAL, unit="s", limit=10, holds_s=0,
        means="The game's servers are told to send events of that lane again later, so these come late. None is lost"
        " as long as they do.",
    ),
    Kind(
        name="duplicates", title="Producer repeats itself", severity=WARNING, unit="%", limit=20, least=1, most=100,
        holds_s=60, clears_s=300,
        means="Nothing for players: repeats are dropped. But a producer that repeats so much does not see our answers,"
        " or sends everything twice.",
    ),
    Kind(
        name="outbox", title="Outbox waiting", severity=WARNING, unit="s", limit=15, least=5, holds_s=15,
        means="Claims, settings and what staff did take effect at once, but rules and folds that follow from them"
        " come late.",
    ),
    Kind(
        name="sweeps", title="Sweeps not running", severity=CRITICAL, unit="s", limit=30, least=15, most=3_600,
        holds_s=0,
        means="Expired notifications stay in inboxes, retries and large audiences stand still. Lanes are still"
        " drained by age.",
    ),
    Kind(
        name="broker", title="Broker away", severity=WARNING, unit="s", limit=15, least=5, most=3_600, holds_s=15,
        holds_for_limit=True,
        means="Notifications go on, up to a second later. Campaigns, e-mail and webhooks wait.",
    ),
    Kind(
        name="redis", title="Redis away", severity=WARNING, unit="s", limit=15, least=5, most=3_600, holds_s=15,
        holds_for_limit=True,
        means="No socket is closed; what is new reaches players within about a second instead of milliseconds.",
    ),
    Kind(
        name="disk", title="Disk filling", severity=WARNING, unit="days left", limit=7, least=0.5, most=365,
        holds_s=0, clears_s=600,
        means="Nothing yet. When the disk is full nothing can be appended, and games get 503.",
    ),
    Kind(
        name="clock", title="Clock skew", severity=WARNING, unit="s", limit=2, least=0.5, most=60, holds_s=120,
        clears_s=180,
        means="What expires in seconds expires too early or too late, and tokens may be refused.",
    ),
    Kind(
        name="watch", title="Watch failing", severity=WARNING, unit="rules", limit=0, most=100, holds_s=60,
        means="Nothing by itself; but something that is watched could be wrong without an alarm.",
    ),
)  # fmt: skip
KINDS = {kind.name: kind for kind in ALL}


def in_force() -> dict[str, Kind]:
    """Return the kinds as staff have set them; one query."""
    changed = {row.kind: row for row in AlarmLimit.objects.all()}
    return {name: _with(kind, changed.get(name)) for name, kind in KINDS.items()}


def make_missing() -> None:
    """Give every kind the row that staff may edit."""
    AlarmLimit.objects.bulk_create([AlarmLimit(kind=name) for name in KINDS], ignore_conflicts=True)


def title_of(kind: str) -> str:
    """Name a kind; one of another version by what is stored."""
    return KINDS[kind].title if kind in KINDS else kind


def _with(kind: Kind, row: AlarmLimit | None) -> Kind:
    if row is None:
        return kind
    return replace(
        kind,
        limit=kind.limit if row.limit is None else row.limit,
        severity=Severity(row.severity or kind.severity),
        enabled=row.enabled,
    )
