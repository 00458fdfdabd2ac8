"""Drives a running Clarion as a game would, and counts what its players get."""
