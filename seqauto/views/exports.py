"""Lists as CSV, for spreadsheets and scripts; streamed: a million rows take no more memory than ten."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from seqauto.tables import Made, Plain
from seqauto.templatetags.looks import printable

ROWS_A_CHUNK = 500

#: Excel takes a file without this mark for Latin-1; pandas, R's data.table and LibreOffice know to skip it.
BYTE_ORDER_MARK = "\ufeff"

#: With what a spreadsheet's formula may begin; the wide ones count too (OWASP, "CSV Injection").
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_response(
    filename: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """A download of `rows` in UTF-8: numbers plain, times as ISO 8601, texts inert.

    Give an iterator that reads in chunks, such as `queryset.values_list(…).iterator()`: it is walked while
    the browser takes the file.
    """
    response = StreamingHttpResponse(_chunks(header, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response


def table_response(
    filename: str,
    table: type[Plain],
    columns: Iterable[str],
    read: Callable[[list[Any]], Iterable[Sequence[Any]]],
) -> StreamingHttpResponse:
    """A download of what these columns of a table say, as values; `read` gives rows of fields it is told."""
    sources = table.values(columns)
    fields = [source.field if isinstance(source, Made) else source for source in sources.values()]
    made = {place: one.make for place, one in enumerate(sources.values()) if isinstance(one, Made)}
    rows = read(fields)
    return csv_response(filename, list(sources), _with_made(rows, made) if made else rows)


def _with_made(
    rows: Iterable[Sequence[Any]], made: dict[int, Callable[[Any], object]]
) -> Iterator[list[object]]:
    for row in rows:
        yield [made[place](value) if place in made else value for place, value in enumerate(row)]


def _chunks(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Some hundred lines at a time: a line for itself would cost a system call each."""
    chunk = io.StringIO(newline="")
    writer = csv.writer(chunk)
    chunk.write(BYTE_ORDER_MARK)
    writer.writerow(header)
    for number, row in enumerate(rows, start=1):
        writer.writerow([cell(value) for value in row])
        if number % ROWS_A_CHUNK == 0:
            yield chunk.getvalue()
            chunk.seek(0)
            chunk.truncate()
    yield chunk.getvalue()


def text_response(filename: str, lines: Iterable[str]) -> StreamingHttpResponse:
    """A download of lines of plain text, each with its end."""
    response = StreamingHttpResponse(_joined(iter(lines)), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response


def _joined(lines: Iterator[str]) -> Iterator[str]:
    while chunk := "".join(islice(lines, ROWS_A_CHUNK)):
        yield chunk


def cell(value: Any) -> object:
    """A value as it stands in a file: nothing for None; an aware time tells its offset."""
    if value is None or isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return inert(json.dumps(value, ensure_ascii=False)) if value else ""
    return inert(str(value))


def inert(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before what might begin one."""
    return printable(f"'{text}" if text.startswith(FORMULA_SIGNS) else text)
