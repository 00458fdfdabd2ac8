"""The demo: what it installs, what happens in it, who may play it."""
