"""From the bytes of a sample sheet to its lines of cells, whatever program last saved it."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from itertools import islice

from .errors import Problem, shown

LARGEST_SHEET = 16 * 1024 * 1024
MOST_LINES = 50_000
MOST_CELLS = 1_000
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
MOST_QUOTED_LINES = 20
LONGEST_QUOTED = 10_000

Line = tuple[int, list[str]]

_LINE_END = re.compile(r"\r*\n|\r")
_SIGNS = re.compile(r"[\W_]+")
_CONTROL = bytes(code for code in range(128) if (code < 32 and code not in b"\t\n\v\f\r") or code == 127)
_COLUMN_HEADER = re.compile(r"^.*sample[ _]?id.*$", re.IGNORECASE | re.MULTILINE)
_DELIMITERS = ",;\t"
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
SAVE_AS_CSV = 'Open it in the program that made it and save it as "CSV (comma delimited)", with UTF-8 text.'


def column_key(name: str) -> str:
    """Return the name of a column or section without case, spaces and signs: "Sample_ID" is "SampleID"."""
    return _SIGNS.sub("", name).lower()


def decode_sheet(data: bytes, problems: list[Problem]) -> str:
    """Return the text of a sheet, "" where there is none to read; what is wrong is added to the problems."""
    if len(data) > LARGEST_SHEET:
        message = f"The file is too large for a sample sheet ({len(data):,} bytes)"
        problems.append(Problem("error", "too_large", message, "Check that it is the right file."))
        return ""
    text, is_guessed = _decode(data)
    if not text.strip(" \t\r\n\0,;"):
        remedy = "Copy the run's sample sheet here again."
        problems.append(Problem("error", "empty_file", "The file is empty", remedy))
        return ""
    head = text[:65536].encode(errors="replace")
    control_share = 1 - len(head.translate(None, _CONTROL)) / len(head)
    # Random bytes hold a tenth of control characters; an iSeq writes NULs for a blank index.
    if control_share > (0.02 if is_guessed else 0.3):
        message = "This is not a text file"
        problems.append(Problem("error", "not_text", message, SAVE_AS_CSV, row=1, text=shown(text[:40])))
        return ""
    if is_guessed:
        message = (
            "The text is not UTF-8; it was read as Windows Western text, so special letters may be wrong"
        )
        problems.append(Problem("warning", "encoding", message, SAVE_AS_CSV))
    # PostgreSQL cannot store a NUL and no path can hold one: it becomes the sign of an unreadable character.
    text = text.replace("\0", UNREADABLE)
    return _LINE_END.sub("\n", text) if "\r" in text else text


def _decode(data: bytes) -> tuple[str, bool]:
    encoding = next((name for mark, name in _ENCODINGS if data.startswith(mark)), "") or _utf16_without_mark(
        data
    )
    if encoding.startswith("utf-") and encoding != "utf-8-sig":
        return data.decode(encoding, "replace"), False
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), True


def _utf16_without_mark(data: bytes) -> str:
    head = data[:2000]
    most = 0.45 * len(head) / 2
    if len(head) < 4 or not most:
        return ""
    if head[1::2].count(0) > 2 * most * 0.9 and not head[::2].count(0):
        return "utf-16-le"
    if head[::2].count(0) > 2 * most * 0.9 and not head[1::2].count(0):
        return "utf-16-be"
    return ""


def find_delimiter(text: str) -> str:
    """Return the sign between cells: the one that makes Sample_ID a cell, else the most common one."""
    for match in islice(_COLUMN_HEADER.finditer(text, 0, 1_000_000), 100):
        for delimiter in _DELIMITERS:
            if "sampleid" in map(column_key, match[0].split(delimiter, MOST_CELLS)):
                return delimiter
    return max(_DELIMITERS, key=text[:65536].count)


def read_lines(text: str, problems: list[Problem]) -> Iterator[Line]:
    """Yield (line from 1, trimmed cells) of every line that is neither blank nor a comment."""
    delimiter = find_delimiter(text)
    # Spreadsheets set to another language pad rows with the other sign: "[Header],,,;;;".
    padding = ";" if delimiter == "," else ","
    lines = text.split("\n", MOST_LINES)
    if len(lines) > MOST_LINES:
        lines.pop()
        message = f"The sheet has more than {MOST_LINES:,} lines; the rest was not read"
        problems.append(
            Problem("error", "too_many_lines", message, "Check that it is the right file.", row=MOST_LINES)
        )
    skip_to = 0
    for number, line in enumerate(lines, 1):
        if number <= skip_to:
            continue
        if line.endswith(padding):
            line = line.rstrip(padding)
        if '"' in line:
            cells, count = _quoted_cells(lines, number, line, delimiter, problems)
            skip_to = number + count - 1
        else:
            cells = line.split(delimiter, MOST_CELLS)
        cells = [cell.strip() for cell in cells]
        if any(cells) and not cells[0].startswith("#"):
            yield number, cells


def _quoted_cells(
    lines: list[str], number: int, line: str, delimiter: str, problems: list[Problem]
) -> tuple[list[str], int]:
    """Return the cells of a line with quotes, and over how many lines they reach."""
    if line.count('"') % 2 == 0:
        return _strict_cells(line, delimiter) or _lenient_cells(line, delimiter), 1
    # A cell with a line break in it: it ends in the next line that has an odd number of quotes too.
    following = lines[number : number + MOST_QUOTED_LINES]
    end = next((at for at, later in enumerate(following, 1) if later.count('"') % 2), 0)
    joined = "\n".join([line, *following[:end]])
    if end and len(joined) <= LONGEST_QUOTED and (cells := _strict_cells(joined, delimiter)):
        return cells, 1 + end
    message = "A quotation mark is opened and never closed, so the cells of this row are uncertain"
    remedy = 'Remove the stray " or close it.'
    problems.append(Problem("warning", "open_quote", message, remedy, row=number, text=shown(line)))
    return _lenient_cells(line, delimiter), 1


def _strict_cells(text: str, delimiter: str) -> list[str]:
    """Return the cells, none where the quotes do not fit."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])[: MOST_CELLS + 1]
    except csv.Error:
        return []


def _lenient_cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])[: MOST_CELLS + 1]
    except csv.Error:  # a quoted cell longer than csv allows
        return line.split(delimiter, MOST_CELLS)
