"""Deciding, live: the hub's projection, and what it writes."""
