"""The notifications room's HTTP API: inboxes for players, direct posts for game servers."""
