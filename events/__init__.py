"""The log: what happened, in which order, and who follows it."""
