"""Structured logs: JSON lines on services, readable lines and a file when embedded."""

import logging
import logging.config
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

NEVER = frozenset({"token", "authorization", "password", "key", "secret", "title", "body", "data", "email"})
"""Names that may carry a secret or a player's data; a safety net, since nobody logs them."""
DETAIL = ("DETAIL:", "CONTEXT:")
"""Lines of PostgreSQL's errors that quote the rows they are about."""

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, level: str, json: bool, folder: Path | None) -> None:
    """Set up structlog and the standard library's logging alike."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_logging(level, json=json, folder=folder))


def withhold(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose names say that they must not be logged."""
    for name in NEVER & record.keys():
        record[name] = "(withheld)"
    return record


def tell_error(_logger: Any, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Render an exception as text, without the rows that a database quotes in its own."""
    info = record.pop("exc_info", None)
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    elif info is True:
        info = sys.exc_info()
    if isinstance(info, tuple) and info[0] is not None:
        record["exception"] = _without_rows("".join(traceback.format_exception(*info)).rstrip())
    return record


def _without_rows(text: str) -> str:
    kept = (line for line in text.splitlines() if not line.lstrip().startswith(DETAIL))
    return "\n".join(kept)


def _logging(level: str, *, json: bool, folder: Path | None) -> dict[str, Any]:
    handlers: dict[str, Any] = {
        "console": {"class": "logging.StreamHandler", "formatter": "json" if json else "plain"}
    }
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        handlers["file"] = {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": str(folder / "clarion.log"),
            "maxBytes": 10_000_000,
            "backupCount": 3,
            "formatter": "json",
        }
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    quiet = ("daphne", "asyncio", "celery", "kombu", "amqp", "django_celery_beat", "httpx", "httpcore")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": _formatter(structlog.processors.JSONRenderer()), "plain": _formatter(plain)},
        "handlers": handlers,
        "root": {"level": level, "handlers": list(handlers)},
        "loggers": {
            **{name: {"level": "WARNING"} for name in quiet},
            "django.security.DisallowedHost": {"level": "CRITICAL"},  # any scanner could fill the log
        },
    }


def _formatter(renderer: Any) -> dict[str, Any]:
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            withhold,
            tell_error,
            renderer,
        ],
    }
