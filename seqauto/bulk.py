"""Writes many rows at once, the fastest way each database has: COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert `rows`, each a value for every one of `fields` (names of model fields, "id" too)."""
    columns = [model._meta.get_field(name) for name in fields]
    is_postgres = connection.vendor == "postgresql"
    converters = {
        number: convert
        for number, column in enumerate(columns)
        if (convert := _converter(column, is_postgres=is_postgres))
    }
    write = _copy if is_postgres else _execute_many
    write(model._meta.db_table, [column.column for column in columns], _converted(rows, converters))


def _converter(field: models.Field, *, is_postgres: bool) -> Callable[[Any], Any] | None:
    """How a value of this field is written, where the driver does not know by itself."""
    if isinstance(field, models.JSONField):
        return json.dumps
    if isinstance(field, models.DateTimeField) and not is_postgres:
        # The rows of one scan of a run share a moment.
        return lru_cache(maxsize=4)(connection.ops.adapt_datetimefield_value)
    return None


def _converted(
    rows: Iterable[Sequence[Any]], converters: dict[int, Callable[[Any], Any]]
) -> Iterable[list[Any]]:
    for row in rows:
        values = list(row)
        for number, convert in converters.items():
            values[number] = convert(values[number])
        yield values


def next_ids(model: type[models.Model], count: int) -> Sequence[int]:
    """Ids for rows to insert in this transaction, so that rows pointing to them need no second look."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count]
            )
            return [row[0] for row in cursor.fetchall()]
        # Safe because a transaction that writes is alone on SQLite (transaction_mode IMMEDIATE).
        cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = %s", [table])
        highest = cursor.fetchone()[0]
        return range(highest + 1, highest + 1 + count)


def _execute_many(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    quote = connection.ops.quote_name
    names, marks = ", ".join(map(quote, columns)), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})",  # noqa: S608  names come from our models
            rows,
        )


def _copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    quote = connection.ops.quote_name
    text = io.StringIO("".join("\t".join(map(_for_copy, row)) + "\n" for row in rows))
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {quote(table)} ({', '.join(map(quote, columns))}) FROM STDIN", text)


def _for_copy(value: Any) -> str:
    """One value in the text format of COPY (PostgreSQL manual, "COPY", File Formats)."""
    if value is None:
        return r"\N"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).translate(_COPY_ESCAPES)


_COPY_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
