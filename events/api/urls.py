"""Addresses of the events room."""

from django.urls import path

from events.api.reading import EventsView

urlpatterns = [path("v1/events", EventsView.as_view(), name="events")]
