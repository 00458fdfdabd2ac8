"""Rows in bulk, without models between: written by COPY or arrays, looked up by lists, on both databases.

An ORM object for each row, and a statement with all values written into it, took most of a
hub's time (measured: 500 us an event with them, 240 us with tuples and COPY).
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from django.db.models import JSONField, Model
from psycopg.types.json import Jsonb

COPY_FROM_ROWS = 50
"""From so many rows on COPY is the faster way; below, its three round trips cost more than arrays save."""


class Inserter:
    """Writes rows of one table. Columns that it does not name get the database's default: null, or the next id."""

    def __init__(self, model: type[Model], names: Sequence[str]) -> None:
        """``names`` are those of the model's attributes, such as ``game_id``, in the order of a row's values."""
        self._model, self._names = model, tuple(names)

    def insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, in this transaction. JSON columns take JSON text, times are aware.

        Raises:
            django.db.IntegrityError, django.db.DataError: as by the ORM.
        """
        if not rows:
            return
        if connection.vendor != "postgresql":
            self._one_by_one(rows)
        elif len(rows) < COPY_FROM_ROWS:
            self._by_arrays(rows)
        else:
            self._by_copy(rows)

    def _by_arrays(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with bound_cursor() as cursor:
            cursor.execute(self._arrays, [list(column) for column in zip(*rows, strict=True)])

    def _by_copy(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with bound_cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            if not self._json:
                for row in rows:
                    copy.write_row(row)
                return
            for row in rows:
                values = list(row)
                for index in self._json:
                    values[index] = Jsonb(values[index], dumps=_as_it_is)
                copy.write_row(values)

    def _one_by_one(self, rows: Sequence[tuple[Any, ...]]) -> None:
        marks = ", ".join(["%s"] * len(self._names))
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self._table} ({self._columns}) VALUES ({marks})",  # noqa: S608 - names are ours
                [[adapted(value) for value in row] for row in rows],
            )

    @cached_property
    def _arrays(self) -> str:
        arrays = ", ".join(f"%s::{kind}[]" for kind in self._types)
        return f"INSERT INTO {self._table} ({self._columns}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names are ours

    @cached_property
    def _copy(self) -> str:
        return f"COPY {self._table} ({self._columns}) FROM STDIN (FORMAT BINARY)"

    @cached_property
    def _fields(self) -> list[Any]:
        by_name = {field.attname: field for field in self._model._meta.concrete_fields}
        return [by_name[name] for name in self._names]

    @cached_property
    def _types(self) -> list[str]:
        return [_kind(field.db_type(connection)) for field in self._fields]

    @cached_property
    def _json(self) -> list[int]:
        return [index for index, field in enumerate(self._fields) if isinstance(field, JSONField)]

    @cached_property
    def _columns(self) -> str:
        return ", ".join(f'"{field.column}"' for field in self._fields)

    @cached_property
    def _table(self) -> str:
        return self._model._meta.db_table


@contextmanager
def bound_cursor() -> "Iterator[psycopg.Cursor[Any]]":
    """Give a cursor that binds on the server; Django's own would write arrays into the statement. PostgreSQL only."""
    connection.ensure_connection()
    kind = _ToldCursor if connection.queries_logged else psycopg.Cursor
    with connection.wrap_database_errors, kind(connection.connection) as cursor:
        yield cursor


class _ToldCursor(psycopg.Cursor[Any]):
    """Its statements are among ``connection.queries``, as those of Django's own cursors."""

    def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        """Execute, on record."""
        connection.queries_log.append({"sql": str(query), "time": "0"})
        return super().execute(query, *args, **options)

    def copy(self, statement: Any, *args: Any, **options: Any) -> Any:
        """Begin a COPY, on record."""
        connection.queries_log.append({"sql": str(statement), "time": "0"})
        return super().copy(statement, *args, **options)


def among(column: str, values: Collection[Any]) -> tuple[str, Any]:
    """Return the condition that a column is one of these, whole numbers or texts, and the one parameter in it."""
    if connection.vendor == "postgresql":
        whole = all(
            type(value) is int for value in values
        )  # psycopg would look at each to find how wide they are
        return f"{column} = ANY(%s)", f"{{{','.join(map(str, values))}}}" if whole else list(values)
    return f"{column} IN (SELECT value FROM json_each(%s))", orjson.dumps(list(values)).decode()  # noqa: S608 - a column


def adapted(value: Any) -> Any:
    """Return a value as SQLite keeps it; a raw cursor asks no field."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.hex if isinstance(value, UUID) else value


def aware(moment: datetime | None) -> datetime | None:
    """Return a time that a raw cursor has read; SQLite's are in UTC and do not say so."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _kind(db_type: str) -> str:
    """Return a column's type as arrays and COPY name it: without a length, and in one word."""
    name = db_type.partition("(")[0]
    return {"timestamp with time zone": "timestamptz"}.get(name, name)


def _as_it_is(text: str) -> str:
    """Return JSON text that is JSON text already."""
    return text
