"""What dead letters count, for Prometheus."""

from prometheus_client import Counter

retried = Counter(
    "clarion_dead_letters_retried_total", "Retries of dead letters, by what they came to.", ["hub", "outcome"]
)
resolved = Counter(
    "clarion_dead_letters_resolved_total", "Dead letters behind which nothing waits any more.", ["hub", "how"]
)
skipped = Counter("clarion_dead_letter_events_skipped_total", "Events that staff had skipped.", ["hub"])
drained = Counter(
    "clarion_dead_letter_events_drained_total", "Events worked off behind a dead letter.", ["hub"]
)
