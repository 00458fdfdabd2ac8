"""``/``: where a visitor wants to go."""

from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect

from config.demo.opening import open_game


def front(_request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the demo's page while it is open, else to the console."""
    return redirect("play" if open_game() else "admin:index")
