"""Letting go of what a game does not keep for ever, in steps so small that nobody waits for one."""
