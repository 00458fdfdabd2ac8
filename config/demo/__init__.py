"""The demo game: a simulated game server and a player's page."""
