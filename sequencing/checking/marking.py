"""A sample sheet as a table in which every finding stands at its cell. Pure.

Of a long sheet the first rows are kept, and every row that has a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..illumina.errors import shown
from ..illumina.sheet_rows import SAMPLE_ID_HEADINGS, SPELLINGS, is_column_header
from ..illumina.sheet_text import column_key, decode_sheet, read_lines
from .check import Finding

MOST_ROWS = 2_000
MOST_CELLS = 40_000
MOST_COLUMNS = 60
LONGEST_CELL = 300

Line = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """A line of the file: its number, its cells as they may be shown, and the findings of each, by place.

    Findings are told by their place in the list that was given; place -1 is that of the row as a whole.
    `left_out` counts the rows before it that are not shown; a row of number 0 is only there to say so.
    """

    number: int
    cells: tuple[str, ...]
    marks: Mapping[int, tuple[int, ...]]
    is_header: bool = False
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class MarkedSection:
    """A section by its name, "" before the first one; `row` is the line of its name, 0 where it has none."""

    name: str
    row: int
    marks: tuple[int, ...]
    rows: tuple[MarkedRow, ...]

    @property
    def head(self) -> MarkedRow | None:
        """The row that names the columns of samples."""
        return next((row for row in self.rows if row.is_header), None)


@dataclass(frozen=True, slots=True)
class MarkedSheet:
    """`anchors` says where each finding stands: (row, place in it), None where no row is shown for it."""

    sections: tuple[MarkedSection, ...]
    anchors: tuple[tuple[int, int] | None, ...]
    left_out: int


@dataclass(slots=True)
class _Section:
    name: str
    row: int
    lines: list[Line] = field(default_factory=list)


def mark_sheet(sheet: bytes, findings: Sequence[Finding]) -> MarkedSheet:
    """Return the sheet of these bytes with the findings of its check at their cells."""
    sections = _sections(sheet)
    anchors = tuple(_anchors(sections, findings))
    marks: dict[int, dict[int, tuple[int, ...]]] = {}
    for number, anchor in enumerate(anchors):
        if anchor:
            row, place = anchor
            of_row = marks.setdefault(row, {})
            of_row[place] = (*of_row.get(place, ()), number)
    budget = _Budget()
    made = tuple(_marked(section, marks, budget) for section in sections)
    return MarkedSheet(made, anchors, sum(row.left_out for section in made for row in section.rows))


def _sections(sheet: bytes) -> list[_Section]:
    sections = [_Section("", 0)]
    text = decode_sheet(sheet, [])
    for number, cells in read_lines(text, []) if text else ():
        if cells[0].startswith("[") and "]" in cells[0]:
            sections.append(_Section(cells[0][1 : cells[0].index("]")].strip(), number))
        else:
            sections[-1].lines.append((number, cells))
    return [section for section in sections if section.row or section.lines]


# ---- Where each finding stands ------------------------------------------------------------------------


def _anchors(sections: Iterable[_Section], findings: Sequence[Finding]) -> Iterator[tuple[int, int] | None]:
    wanted = {finding.problem.row for finding in findings}
    columns: dict[int, list[str]] = {}  # of each row that a finding is about, the column header above it
    settings: dict[str, int] = {}
    for section in sections:
        header: list[str] = []
        columns[section.row] = header
        for number, cells in section.lines:
            if is_column_header(cells) if not header else not SAMPLE_ID_HEADINGS.isdisjoint(cells):
                header = cells
            if number in wanted:
                columns[number] = header
            if not header:
                settings.setdefault(cells[0], number)
    for finding in findings:
        problem = finding.problem
        if not finding.file and problem.row in columns:
            is_second = problem.code == "duplicate_column"
            yield problem.row, _place(columns[problem.row], problem.column or "", is_second)
        elif not finding.file and problem.column in settings:  # a setting is told by its name alone
            yield settings[problem.column], 1
        else:
            yield None


def _place(header: Sequence[str], column: str, is_second: bool) -> int:
    """Where a column stands: by its name, or by any other spelling of it; -1 where it is not there."""
    keys = [column_key(name) for name in header]
    key = column_key(column)
    spellings = next((names for names in SPELLINGS.values() if key in names), (key,))
    places = [
        place for name in (key, *spellings) for place, known in enumerate(keys) if name and known == name
    ]
    place = (max(places) if is_second else places[0]) if places else -1
    return place if place < MOST_COLUMNS else -1


# ---- What is shown ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Budget:
    rows: int = MOST_ROWS
    cells: int = MOST_CELLS

    def allows(self, cells: int) -> bool:
        self.rows -= 1
        self.cells -= cells
        return self.rows >= 0 and self.cells >= 0


def _marked(
    section: _Section, marks: Mapping[int, Mapping[int, tuple[int, ...]]], budget: _Budget
) -> MarkedSection:
    rows: list[MarkedRow] = []
    left_out, width, has_header = 0, 0, False
    for number, cells in section.lines:
        is_header = not has_header and is_column_header(cells)
        has_header |= is_header
        width = min(len(cells), MOST_COLUMNS) if is_header else width
        if budget.allows(len(cells)) or number in marks or is_header:
            texts = [shown(cell, LONGEST_CELL) for cell in cells[:MOST_COLUMNS]]
            own = marks.get(number, {})
            texts += [""] * (max(width, *(place + 1 for place in own), 0) - len(texts))
            rows.append(MarkedRow(number, tuple(texts), own, is_header, left_out))
            left_out = 0
        else:
            left_out += 1
    if left_out:
        rows.append(MarkedRow(0, (), {}, False, left_out))
    return MarkedSection(
        shown(section.name), section.row, marks.get(section.row, {}).get(-1, ()), tuple(rows)
    )
