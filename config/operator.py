"""Who runs a command."""

import getpass
from contextlib import suppress


def operator() -> str:
    """Name who runs this, as the machine knows them; empty where it does not."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return ""
