"""Who the players are and what proves it: profiles, tokens, presence, erasure."""
