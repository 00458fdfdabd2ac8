"""What hubs count, for Prometheus."""

from prometheus_client import Counter, Histogram

from events.hubs.claim import Claim
from events.lanes import Lane

processed = Counter("clarion_hub_events_total", "Events processed.", ["hub", "lane"])
duration = Histogram(
    "clarion_hub_batch_seconds",
    "Time of one batch, from reading to commit.",
    ["hub", "lane"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
parked = Counter("clarion_hub_parked_total", "Streams parked as dead letters.", ["hub", "lane"])
hung = Counter("clarion_hub_hung_total", "Tries in which a projection hung.", ["hub", "lane"])
transient = Counter("clarion_hub_transient_faults_total", "Batches ended by a fault that passes by itself.")
drained_by_age = Counter(
    "clarion_hub_drained_by_age_total", "Lanes drained because no hint was answered.", ["lane"]
)


def batch(claim: Claim, events: int, seconds: float) -> None:
    """Count a batch that was committed."""
    lane = Lane(claim.lane).label
    processed.labels(claim.hub, lane).inc(events)
    duration.labels(claim.hub, lane).observe(seconds)
