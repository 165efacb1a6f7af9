"""Writes many rows at once, the fastest way each database has."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from django.db import connection, models
from psycopg2.extras import execute_values

Column: TypeAlias = "models.Field[Any, Any]"
Rows = Iterable[Sequence[Any]]


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Rows) -> None:
    """Insert `rows`, each a value for every one of `fields` (names of model fields, "id" too)."""
    columns = _columns(model, fields)
    insert = _copy if connection.vendor == "postgresql" else _insert_many
    insert(model._meta.db_table, columns, _converted(columns, rows))


def update_rows(model: type[models.Model], fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Update by primary key: each of `rows` is an id, and a value for every one of `fields`."""
    if not rows:
        return
    columns = _columns(model, ["id", *fields])
    update = _update_from_values if connection.vendor == "postgresql" else _update_many
    update(model._meta.db_table, columns, list(_converted(columns, rows)))


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


def _columns(model: type[models.Model], fields: Sequence[str]) -> list[Column]:
    columns = {field.name: field for field in model._meta.concrete_fields}
    return [columns[name] for name in fields]


def _converted(columns: Sequence[Column], rows: Rows) -> Iterable[list[Any]]:
    converters = [(number, _converter(column)) for number, column in enumerate(columns)]
    for row in rows:
        values = list(row)
        for number, convert in converters:
            if convert:
                values[number] = convert(values[number])
        yield values


def _converter(column: Column) -> Callable[[Any], Any] | None:
    """How a value of this column is written, where the driver does not know by itself."""
    if isinstance(column, models.JSONField):
        return json.dumps
    if isinstance(column, models.DateTimeField) and connection.vendor == "sqlite":
        # The rows of one scan of a run share a moment.
        return lru_cache(maxsize=4)(connection.ops.adapt_datetimefield_value)
    return None


def _name(column: Column) -> str:
    return connection.ops.quote_name(str(column.column))


# The names in these statements come from our own models.


def _insert_many(table: str, columns: Sequence[Column], rows: Rows) -> None:
    names, marks = ", ".join(map(_name, columns)), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(rows))  # noqa: S608


def _update_many(table: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    changes = ", ".join(f"{_name(column)} = %s" for column in columns[1:])
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET {changes} WHERE id = %s",  # noqa: S608
            [[*values, pk] for pk, *values in rows],
        )


def _copy(table: str, columns: Sequence[Column], rows: Rows) -> None:
    """COPY in CSV. Python writes None as "", which PostgreSQL takes for NULL where a column allows it."""
    names = ", ".join(map(_name, columns))
    nullable = ", ".join(_name(column) for column in columns if column.null)
    options = f"FORMAT csv, FORCE_NULL ({nullable})" if nullable else "FORMAT csv"
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    text.seek(0)
    # Django does not translate errors of COPY by itself; a lost database must not pass for a bad run.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN ({options})", text)


def _update_from_values(table: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    names = [_name(column) for column in columns]
    changes = ", ".join(f"{name} = new.{name}" for name in names[1:])
    types = ", ".join(f"%s::{column.db_type(connection)}" for column in columns)
    statement = (
        f"UPDATE {table} SET {changes} FROM (VALUES %s) AS new ({', '.join(names)}) "  # noqa: S608
        f"WHERE {table}.id = new.id"
    )
    with connection.cursor() as cursor, connection.wrap_database_errors:
        execute_values(cursor.cursor, statement, rows, template=f"({types})", page_size=500)
