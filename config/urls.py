"""All addresses."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from config import front, health
from config.console.pulse import pulse
from config.console.runbook import runbook
from config.demo import views as demo

urlpatterns = [
    path("", front.front, name="front"),
    path("play/", demo.play, name="play"),
    path("play/token", demo.token, name="play-token"),
    path("play/send", demo.send, name="play-send"),
    path("play/clock", demo.clock, name="play-clock"),
    path("admin/pulse/", admin.site.admin_view(pulse), name="pulse"),
    path("admin/runbook/", admin.site.admin_view(runbook), name="runbook"),
    path("admin/", admin.site.urls),
    path("api/", include("events.api.urls")),
    path("api/", include("players.api.urls")),
    path("api/", include("notifications.api.urls")),
    path("api/schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
]
handler400 = "config.failures.bad_request"
handler403 = "config.failures.forbidden"
handler404 = "config.failures.not_found"
handler500 = "config.failures.server_error"
