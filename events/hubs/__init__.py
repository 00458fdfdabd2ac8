"""Hubs follow the log: claim, process, checkpoint, exactly once."""
