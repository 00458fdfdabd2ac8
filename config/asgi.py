"""The ASGI application: HTTP to Django, players' sockets to the gateway."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("CLARION_ROLE", "web")  # settings give web processes a connection pool

from django.core.asgi import get_asgi_application

http = get_asgi_application()  # loads Django; what follows needs its apps

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from config import leaving, lineage, memory, vigil  # noqa: E402
from config.checks import refuse_to_start  # noqa: E402
from config.draining import Draining  # noqa: E402
from config.modes import refuse_by_accident  # noqa: E402
from config.watch import running  # noqa: E402
from events.hubs import ageing, patience  # noqa: E402
from events.stopping import STOPPING  # noqa: E402
from notifications.gateway.routing import websocket_urlpatterns  # noqa: E402

refuse_by_accident("web", services=settings.CLARION_SERVICES, entry=settings.CLARION_ENTRY)
if settings.CLARION_SERVICES and settings.CLARION_ENTRY != "tests":
    refuse_to_start("the ASGI application")
    patience.take_on(patience.GATEWAY)
    leaving.beside(ageing.start(STOPPING))
    lineage.start(STOPPING)
    vigil.start()
    running.start(STOPPING)

if settings.CLARION_ENTRY != "tests":
    memory.keep(settings.ROOT_URLCONF)
application = Draining(ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)}))
