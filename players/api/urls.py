"""Addresses of the players room."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from players.api.views import PlayerProfileView, PlayerTokensView


class PlayerConverter(StringConverter):
    """A game's own id of a player: anything, slashes too, which arrive decoded whatever the client sent.

    Not with a slash at either end, so that a sloppy address makes no second player. An id
    that ends in ``/tokens`` cannot be addressed; events reach such a player all the same.
    """

    regex = r"[^/](?:[\s\S]*[^/])?"


register_converter(PlayerConverter, "player")

urlpatterns = [
    path("v1/players/<player:player>/tokens", PlayerTokensView.as_view(), name="player-tokens"),
    path("v1/players/<player:player>", PlayerProfileView.as_view(), name="player"),
]
