"""What deliveries count, for Prometheus. What waits is read when it asks (config.metrics)."""

from prometheus_client import Counter, Histogram

from notifications.models import Delivery
from notifications.models.deliveries import State

sent = Counter("clarion_deliveries_sent_total", "Notifications brought by another channel.", ["channel"])
failed = Counter(
    "clarion_delivery_tries_failed_total", "Tries that failed, whether they are repeated or not.", ["channel"]
)
dead = Counter("clarion_deliveries_dead_total", "Deliveries given up.", ["channel"])
cancelled = Counter(
    "clarion_deliveries_cancelled_total", "Deliveries that nobody would have wanted any more.", ["channel"]
)
took = Histogram(
    "clarion_delivery_try_seconds",
    "Time of one try.",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30),
)
latency = Histogram(
    "clarion_delivery_latency_seconds",
    "From the decision to the try that arrived.",
    ["channel"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600, 86_400),
)


def tried(row: Delivery, seconds: float, since_queued_s: float) -> None:
    """Count a try by what the row has become."""
    took.labels(row.channel).observe(seconds)
    if row.state == State.SENT:
        sent.labels(row.channel).inc()
        latency.labels(row.channel).observe(since_queued_s)
    elif row.state == State.CANCELLED:
        cancelled.labels(row.channel).inc()
    else:
        failed.labels(row.channel).inc()
        dead.labels(row.channel).inc(row.state == State.DEAD)


def ended(row: Delivery) -> None:
    """Count what has ended without a try."""
    if row.state == State.DEAD:
        dead.labels(row.channel).inc()
    elif row.state == State.CANCELLED:
        cancelled.labels(row.channel).inc()
