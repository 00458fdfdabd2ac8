#!/usr/bin/env python
"""Django's command line for Clarion."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["up"]:
        os.environ["CLARION_ENTRY"] = "up"  # what config.modes asks for
    execute_from_command_line(sys.argv)
