"""The events room's HTTP API for game servers."""
