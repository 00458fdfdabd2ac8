"""The only door."""

from django.urls import path

from tests.benchmarks.baseline.views import Events

urlpatterns = [path("api/v1/events", Events.as_view())]
