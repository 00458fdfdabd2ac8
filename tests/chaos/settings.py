"""Clarion's settings with parts that can be broken on purpose; a file in a folder breaks each of them.

Named by ``DJANGO_SETTINGS_MODULE`` for the suite's own processes. The product has no such switch.
"""

import os
from pathlib import Path

from config.settings import *  # noqa: F403 - all of them are wanted
from config.settings import DATABASES, INSTALLED_APPS

CHAOS_FAULTS = Path(os.environ["CHAOS_FAULTS"])
CHAOS_SEED = int(os.environ["CHAOS_SEED"])
INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.broken"]
DATABASES["default"]["ENGINE"] = "tests.chaos.broken.database"
