"""Writes many rows at once, the fastest way each database has: COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, models


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert `rows`, each a value for every one of `fields` (names of model fields, "id" too)."""
    concrete = {field.name: field for field in model._meta.concrete_fields}
    columns = [concrete[name] for name in fields]
    is_postgres = connection.vendor == "postgresql"
    converters = {
        number: convert
        for number, column in enumerate(columns)
        if (convert := _converter(column, is_postgres=is_postgres))
    }
    write = _copy if is_postgres else _execute_many
    write(model._meta.db_table, columns, _converted(rows, converters))


def _converter(field: models.Field[Any, Any], *, is_postgres: bool) -> Callable[[Any], Any] | None:
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


def _execute_many(
    table: str, columns: Sequence[models.Field[Any, Any]], rows: Iterable[Sequence[Any]]
) -> None:
    names, marks = _names(columns), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {connection.ops.quote_name(table)} ({names}) VALUES ({marks})",  # noqa: S608  our own names
            list(rows),
        )


def _copy(table: str, columns: Sequence[models.Field[Any, Any]], rows: Iterable[Sequence[Any]]) -> None:
    """COPY in CSV. Python writes None as "", which PostgreSQL takes for NULL where a column allows it."""
    names = _names(columns)
    nullable = _names([column for column in columns if column.null])
    options = f"FORMAT csv, FORCE_NULL ({nullable})" if nullable else "FORMAT csv"
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    text.seek(0)
    # Django does not translate errors of COPY by itself; a lost database must not pass for a bad run.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {connection.ops.quote_name(table)} ({names}) FROM STDIN ({options})", text)


def _names(columns: Sequence[models.Field[Any, Any]]) -> str:
    return ", ".join(connection.ops.quote_name(str(column.column)) for column in columns)
