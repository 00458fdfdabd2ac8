"""Addresses of the notifications room."""

from django.urls import path

from notifications.api.direct import DirectView
from notifications.api.inbox import AnnouncementsView, ArchiveView, InboxView, ReadView, SeenView
from notifications.api.socket_schema import socket_schema

urlpatterns = [
    path("v1/notifications", DirectView.as_view(), name="direct"),
    path("v1/inbox", InboxView.as_view(), name="inbox"),
    path("v1/inbox/read", ReadView.as_view(), name="inbox-read"),
    path("v1/inbox/seen", SeenView.as_view(), name="inbox-seen"),
    path("v1/inbox/archive", ArchiveView.as_view(), name="inbox-archive"),
    path("v1/announcements", AnnouncementsView.as_view(), name="announcements"),
    path("schema/socket.json", socket_schema, name="socket-schema"),
]
