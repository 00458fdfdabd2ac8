"""Clarion's settings with a hub that may hang."""

import os
from pathlib import Path

from config.settings import *  # noqa: F403 - all of them are wanted
from config.settings import INSTALLED_APPS

HANGING = Path(os.environ["HANGING"])
"""A folder: ``on`` in it makes the hub wait for somebody who hangs, ``hangs`` is written by who does."""
HANGS = bool(os.environ.get("HANGS"))
"""Whether this process's pool is where it hangs."""
INSTALLED_APPS = [*INSTALLED_APPS, "tests.config.hanging"]
