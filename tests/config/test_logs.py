"""What a log line holds, and what it never does."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from config import logs
from config.celery import app

QUOTED = "duplicate key\nDETAIL:  Key (title)=(Alice's secret) already exists."
"""Not where it is raised: a trace quotes that line of source."""


def rendered(caller: Any) -> dict[str, Any]:
    """Return what a JSON line says of one call."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs._logging("INFO", json=True, folder=None)["formatters"]["json"]["()"](
        foreign_pre_chain=logs.SHARED,
        processors=logs._formatter(structlog.processors.JSONRenderer())["processors"],
    ))  # fmt: skip
    logger = logging.getLogger("clarion.test")
    logger.handlers, logger.propagate = [handler], False
    try:
        caller()
    finally:
        logger.handlers, logger.propagate = [], True
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


@pytest.mark.parametrize("name", sorted(logs.NEVER))
def test_names_of_secrets_and_of_players_data_are_withheld(name: str) -> None:
    line = rendered(
        lambda: structlog.get_logger("clarion.test").warning("told", **{name: "hunter2"}, offset=7)
    )
    assert line[name] == "(withheld)"
    assert line["offset"] == 7


def test_an_error_is_told_with_its_trace_and_without_the_row_that_the_database_quotes() -> None:
    def fail() -> None:
        try:
            raise ValueError(QUOTED)
        except ValueError:
            structlog.get_logger("clarion.test").exception("failed")

    line = rendered(fail)
    assert "ValueError: duplicate key" in line["exception"]
    assert "Alice" not in json.dumps(line)


def test_the_standard_librarys_records_look_the_same() -> None:
    def fail() -> None:
        try:
            raise ValueError(QUOTED)
        except ValueError:
            logging.getLogger("clarion.test").exception("failed %s", "here")

    line = rendered(fail)
    assert (line["event"], line["level"], line["logger"]) == ("failed here", "error", "clarion.test")
    assert "Alice" not in json.dumps(line)


def test_context_is_on_every_line() -> None:
    with structlog.contextvars.bound_contextvars(traceparent="00-ab-cd-01"):
        line = rendered(lambda: structlog.get_logger("clarion.test").warning("told"))
    assert line["traceparent"] == "00-ab-cd-01"


def test_celery_leaves_the_level_to_clarion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own --loglevel would keep a worker's part of an event's road out of the log."""
    monkeypatch.setattr(type(app.log), "already_setup", False)
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    app.log.setup_logging_subsystem(loglevel="CRITICAL")
    assert (root.level, list(root.handlers)) == before
