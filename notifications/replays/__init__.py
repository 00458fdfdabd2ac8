"""Decisions once more: what was never decided, and what would be decided now."""
