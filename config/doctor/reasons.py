"""Why something could not be reached, in words of our own: an error's text may hold a password or a row."""

from collections.abc import Iterator

KNOWN = (
    ("password authentication failed", "the password is wrong"),
    ("access_refused", "user or password is wrong, or the user may not use this virtual host"),
    ("not_allowed", "there is no such virtual host, or the user may not use it"),
    ("wrongpass", "the password is wrong"),
    ("invalid username-password", "the password is wrong"),
    ("noauth", "it wants a password"),
    ("authentication required", "it wants a password"),
    ("no pg_hba.conf entry", "it does not let this machine in (pg_hba.conf)"),
    ("too many connections", "it has no connections left"),
    ("remaining connection slots", "it has no connections left"),
    ("is starting up", "it is starting up"),
    ("is shutting down", "it is shutting down"),
    ("connection refused", "nothing listens there"),
    ("name or service not known", "its host name is not known here"),
    ("nodename nor servname", "its host name is not known here"),
    ("could not translate host name", "its host name is not known here"),
    ("temporary failure in name resolution", "its host name cannot be looked up here"),
    ("no address associated", "its host name is not known here"),
    ("certificate", "its certificate was not accepted"),
    ("does not exist", "there is no such database or user"),
    ("timed out", "it did not answer in time"),
    ("timeout", "it did not answer in time"),
    ("no route to host", "there is no way to it from here"),
    ("unreachable", "there is no way to it from here"),
    ("closed", "it closed the connection"),
    ("reset by peer", "it closed the connection"),
)
"""What servers and libraries say, in lower case, and what that means. The first that fits."""


def reason(error: BaseException) -> str:
    """Return why, without repeating anything of the error's own text but its class."""
    said = " ".join(f"{type(each).__name__} {each}".lower() for each in _chain(error))
    meaning = next((meaning for phrase, meaning in KNOWN if phrase in said), "")
    return f"{meaning} ({type(error).__name__})" if meaning else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Return the error and those it came from: libraries wrap what says why."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
