"""Replays: going through the log once more, in small steps, while live goes on."""
