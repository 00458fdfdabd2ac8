"""``/``: where a visitor wants to go."""

from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect

from config.demo.install import SLUG
from events.models import Game


def front(_request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the demo's page while the demo game exists, else to the console."""
    return redirect("play" if Game.objects.filter(slug=SLUG).exists() else "admin:index")
