"""From the cells under a column header to rows of samples, with what is wrong in each row."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import Problem, Severity, shown
from .safe_names import hostile_reason, is_safe_id, unsafe_reason
from .sheet_model import SampleRow
from .sheet_text import UNREADABLE, Line, column_key

# Every spelling seen, without case and signs; the first that a sheet has counts.
SPELLINGS = {
    "lane": ("lane",),
    "sample_id": ("sampleid",),
    "sample_name": ("samplename",),
    "index": ("index", "index1"),
    "index2": ("index2",),
    "project": ("sampleproject", "project"),
    "description": ("description",),
    "failed": ("failed",),
}
SAMPLE_ID_HEADINGS = frozenset({"Sample_ID", "SampleID", "Sample ID", "sample_id", "sampleID", "SAMPLE_ID"})
_ABSENT = -1
MOST_LANES = 8
_LANE = re.compile(r"0*([0-9]{1,2})(?:\.0)?")
_LANES = {str(lane): lane for lane in range(1, MOST_LANES + 1)}
_NO_INDEX = frozenset({"", "NA", "N/A", "NONE", "NULL", "NAN", "-", "NOINDEX", "NO INDEX"})
_BLANK_INDEX = UNREADABLE + " "  # an iSeq writes NULs for an index that the run has not
_YES = frozenset({"1", "true", "yes", "y", "x", "failed", "fail"})
RENAME = "Rename it with letters, digits, _ and - only, starting with a letter or digit."


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each column stands. A column that the sheet lacks stands at -1."""

    names: tuple[str, ...]
    lane: int
    sample_id: int
    sample_name: int
    index: int
    index2: int
    project: int
    description: int
    failed: int
    extra: tuple[tuple[str, int], ...]

    @property
    def has_index(self) -> bool:
        return self.index != _ABSENT

    @property
    def is_casava(self) -> bool:
        return any(column_key(name) == "fcid" for name in self.names)

    def name(self, position: int) -> str:
        """Return a column as the sheet names it, "" where the sheet lacks it."""
        return self.names[position] if position != _ABSENT else ""


def read_columns(number: int, cells: list[str], problems: list[Problem]) -> Columns:
    """Return where the columns stand that the column header, on this line of the file, names."""
    places: dict[str, int] = {}
    for position, cell in enumerate(cells):
        key = column_key(cell)
        if key and places.setdefault(key, position) != position:
            message = "The column stands twice; the first one counts"
            problems.append(
                _problem("warning", "duplicate_column", message, "Remove one.", number, cell, cell)
            )
    known = {
        field: next((places[key] for key in keys if key in places), _ABSENT)
        for field, keys in SPELLINGS.items()
    }
    taken = set(known.values())
    extra = tuple((cells[at], at) for at in places.values() if at not in taken)
    return Columns(names=tuple(cells), extra=extra, **known)


def is_column_header(cells: list[str]) -> bool:
    """Whether the cells are the names of columns of samples."""
    return any(column_key(cell) == "sampleid" for cell in cells if 8 <= len(cell) < 20)


def read_row(line: Line, columns: Columns, problems: list[Problem]) -> SampleRow | None:
    """Return the row of a sample, or None where the row has no Sample_ID; problems are added."""
    number, cells = line
    width = len(columns.names)
    if len(cells) != width:
        _check_width(number, cells, columns, problems)
        cells = cells[:width] + [""] * (width - len(cells))
    cells.append("")  # what a column that is absent (-1) reads
    sample_id, name, project = cells[columns.sample_id], cells[columns.sample_name], cells[columns.project]
    if not sample_id:
        message = "The row has no sample id"
        remedy = "Fill in the id, or remove the row."
        problems.append(
            _problem(
                "error",
                "no_sample_id",
                message,
                remedy,
                number,
                columns.name(columns.sample_id),
                ",".join(cells),
            )
        )
        return None
    for at, text in ((columns.sample_id, sample_id), (columns.sample_name, name), (columns.project, project)):
        if text and not is_safe_id(text):
            _check_name(number, columns.name(at), text, problems)
    description, failed = cells[columns.description], cells[columns.failed]
    return SampleRow(
        number,
        _read_lane(number, columns.name(columns.lane), lane, problems)
        if (lane := cells[columns.lane])
        else None,
        sample_id,
        name,
        _read_index(cells[columns.index]),
        _read_index(cells[columns.index2]),
        project,
        description,
        failed.lower() in _YES,
        {name: cells[at] for name, at in columns.extra},
    )


def _check_width(number: int, cells: list[str], columns: Columns, problems: list[Problem]) -> None:
    width = len(columns.names)
    if any(cells[width:]):
        message = "The row has more cells than there are columns, so its cells may stand in the wrong columns"
        remedy = "Put quotation marks around a text that holds a comma, or remove the cells too many."
        text = ",".join(cells[width:])
        problems.append(_problem("warning", "long_row", message, remedy, number, "", text))
    needed = max(columns.lane, columns.sample_id, columns.index, columns.index2, columns.project)
    if len(cells) <= needed:
        message = "The row ends before the columns that tell sample, lane, index and project"
        remedy = "Fill in the missing cells."
        column = columns.names[len(cells)]
        problems.append(_problem("warning", "short_row", message, remedy, number, column, ",".join(cells)))


def _check_name(number: int, column: str, text: str, problems: list[Problem]) -> None:
    if reason := hostile_reason(text):
        problems.append(_problem("error", "hostile_name", f"The name {reason}", RENAME, number, column, text))
        return
    remedy = RENAME + " No FASTQ can be expected for it until then."
    problems.append(
        _problem("warning", "unsafe_name", f"The name {unsafe_reason(text)}", remedy, number, column, text)
    )


def _read_lane(number: int, column: str, text: str, problems: list[Problem]) -> int | None:
    if text in _LANES:
        return _LANES[text]
    if not (match := _LANE.fullmatch(text)):
        message = "The lane is not a number"
        remedy = "Write the number of the lane, or leave the cell empty for all lanes."
        problems.append(_problem("error", "bad_lane", message, remedy, number, column, text))
        return None
    if not 1 <= (lane := int(match[1])) <= MOST_LANES:
        message = f"No flow cell has this lane; lanes go from 1 to {MOST_LANES}"
        remedy = "Correct the number of the lane."
        problems.append(_problem("warning", "lane_out_of_range", message, remedy, number, column, text))
    return lane


def _read_index(text: str) -> str:
    """Return an index in upper case; "" where it is written that there is none."""
    index = text.upper().strip(_BLANK_INDEX)
    return "" if index in _NO_INDEX else index


def _problem(
    severity: Severity, code: str, message: str, remedy: str, row: int, column: str, text: str
) -> Problem:
    return Problem(severity, code, message, remedy, row, column or None, shown(text))
