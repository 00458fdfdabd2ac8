"""The players room in the operations console."""

from players.admin import gateways, people, profiles, tokens

__all__ = ["gateways", "people", "profiles", "tokens"]
