"""Dead letters: parked streams, retried by themselves for a while, then by staff, or skipped."""
