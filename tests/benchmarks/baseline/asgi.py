"""HTTP by Django, sockets by Channels: ``daphne tests.benchmarks.baseline.asgi:application``."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.baseline.settings")
http = get_asgi_application()

from tests.benchmarks.baseline.consumers import PlayerConsumer  # noqa: E402 - apps have to be loaded

application = ProtocolTypeRouter(
    {"http": http, "websocket": URLRouter([path("ws/<str:player>/", PlayerConsumer.as_asgi())])}
)
