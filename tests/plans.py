"""Which indexes the planner names for the statements that some code really sends."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

Statement = tuple[str, Any]


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    """Collect every SELECT sent meanwhile, by Django's cursors and by the log's own on PostgreSQL."""
    statements: list[Statement] = []
    with monkeypatch.context() as patched, connection.execute_wrapper(_django(statements)):
        patched.setattr(psycopg, "Cursor", _cursor_class(statements))
        yield statements


def _django(statements: list[Statement]) -> Callable[..., Any]:
    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")) and not many:
            statements.append((sql, params))
        return execute(sql, params, many, context)

    return wrapper


def _cursor_class(statements: list[Statement]) -> type[psycopg.Cursor[Any]]:
    class Recording(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            if str(query).lstrip().startswith(("SELECT", "WITH")):
                statements.append((str(query), params))
            return super().execute(query, params, **options)

    return Recording


@contextmanager
def no_scan_because_it_is_small() -> Iterator[None]:
    """Let PostgreSQL scan only where no index would do: a table of a test's size fits into a few pages."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            yield
        finally:
            cursor.execute("RESET enable_seqscan")


def indexes_of(statement: Statement) -> set[str]:
    """Return the names of the indexes in a statement's plan, and ``SCAN <table>`` for each table walked whole."""
    return _postgres(statement) if connection.vendor == "postgresql" else _sqlite(statement)


def _postgres(statement: Statement) -> set[str]:
    sql, params = statement
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        row = cursor.fetchone()
    assert row
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return set(_nodes(plan[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    if node["Node Type"] == "Seq Scan":
        yield f"SCAN {node['Relation Name']}"
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _sqlite(statement: Statement) -> set[str]:
    sql, params = statement
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        details = [row[3] for row in cursor.fetchall()]
        return {
            _sqlite_name(cursor, detail)
            for detail in details
            if detail.startswith(("SCAN", "SEARCH"))
            and "VIRTUAL TABLE" not in detail
            and "CONSTANT ROW" not in detail
        }


def _sqlite_name(cursor: Any, detail: str) -> str:
    """Return the constraint's name: SQLite calls the indexes of constraints autoindexes."""
    if "INDEX" not in detail:
        return "PRIMARY KEY" if "PRIMARY KEY" in detail else detail
    index = detail.split("INDEX ")[1].split(" ", maxsplit=1)[0]
    if not index.startswith("sqlite_autoindex_"):
        return index
    table = index.removeprefix("sqlite_autoindex_").rsplit("_", 1)[0]
    cursor.execute(f'PRAGMA index_info("{index}")')
    columns = [row[2] for row in cursor.fetchall()]
    named = connection.introspection.get_constraints(cursor, table).items()
    names = [name for name, facts in named if facts["columns"] == columns and facts["unique"]]
    return names[0] if names and not names[0].startswith("__") else f"{table}_pkey"


def walks(statement: Statement, table: str) -> bool:
    """Tell whether a statement reads a table, or a whole index of it, from one end to the other.

    SQLite calls it a scan, too, when it only reads the first rows in the order of a key.
    """
    if connection.vendor == "postgresql":
        return f"SCAN {table}" in indexes_of(statement)
    plan = _sqlite_plan(statement)
    scanned = any(each.startswith(f"SCAN {table}") for each in plan)
    first_rows = "LIMIT" in statement[0] and "WHERE" not in statement[0] and not sorts(statement)
    return scanned and not first_rows


def sorts(statement: Statement) -> bool:
    """Tell whether all that matches is read and sorted before the first row is known; only SQLite says so."""
    return connection.vendor == "sqlite" and "USE TEMP B-TREE FOR ORDER BY" in _sqlite_plan(statement)


def _sqlite_plan(statement: Statement) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement[0]}", statement[1])
        return [str(row[3]) for row in cursor.fetchall()]
