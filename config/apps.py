"""The config app."""

import importlib

from django.apps import AppConfig
from django.conf import settings


class ConfigConfig(AppConfig):
    """The config room."""

    name = "config"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and the Celery app: without it hints would go to Celery's default broker."""
        importlib.import_module("config.checks")
        importlib.import_module("config.celery")
        if settings.CLARION_SERVICES and settings.CLARION_ENTRY != "tests":
            importlib.import_module("config.lineage").follow()
