"""SampleSheet.csv: which samples stand in which lane, in the three families labs use.

v1 has the sections [Header] [Reads] [Settings] [Data]; v2 has FileFormatVersion 2 and [BCLConvert_Settings]
[BCLConvert_Data]; CASAVA has no sections, only a column header that starts with FCID. All are edited by hand.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from .errors import Problem, shown
from .safe_names import is_safe_id
from .sheet_checks import FAMILIES_READ, REFUSED_BY_CONVERTERS, check_rows
from .sheet_model import Sample, SampleRow, SampleSheet, Version, both_indexes
from .sheet_rows import SAMPLE_ID_HEADINGS, Columns, is_column_header, read_columns, read_row
from .sheet_text import Line, column_key, decode_sheet, read_lines

__all__ = [
    "FAMILIES_READ",
    "REFUSED_BY_CONVERTERS",
    "Sample",
    "SampleRow",
    "SampleSheet",
    "both_indexes",
    "is_safe_id",
    "meaningful_key",
    "parse_sample_sheet",
]
MOST_PROBLEMS = 1_000
TEMPLATE = "Start from a template of the instrument, or copy the line from a sheet that worked."


@dataclass(slots=True)
class _Section:
    name: str
    row: int
    lines: list[Line] = field(default_factory=list)


def parse_sample_sheet(data: bytes) -> SampleSheet:
    """Return the sheet. Never raises: what is wrong with it stands in its `problems`, all at once."""
    problems: list[Problem] = []
    text = decode_sheet(data, problems)
    before, sections = _split_sections(read_lines(text, problems)) if text else ([], [])
    header = _pairs(_lines_of(sections, "header"))
    version, data_key, settings_key = _family(sections, header)
    columns: Columns | None = None
    rows: list[SampleRow] = []
    if text:
        _check_sections(before, sections, problems)
        lines = _lines_of(sections, data_key) if sections else before
        columns, rows = _read_rows(lines, sections, data_key, problems)
    if columns:
        bad_lanes = {problem.row for problem in problems if problem.code == "bad_lane"}
        problems.extend(check_rows(rows, columns, bad_lanes))
        if not sections:
            version = "casava" if columns.is_casava else "v1"
    return SampleSheet(
        version=version,
        sections=tuple(dict.fromkeys(section.name for section in sections)),
        header=header,
        reads=tuple(_without_padding(cells) for _, cells in _lines_of(sections, "reads")),
        settings=_pairs(_lines_of(sections, settings_key)),
        columns=columns.names if columns else (),
        rows=tuple(rows),
        problems=_in_order(problems),
    )


def meaningful_key(sheet: SampleSheet) -> Hashable:
    """Return a value that changes only where samples, lanes, projects or indexes do.

    Descriptions, headers, settings, the order of columns, comments and blank rows do not count; the order of
    samples does, for it numbers the FASTQs.
    """
    return tuple(
        (row.sample_id, row.sample_name, row.project, row.lane, row.index, row.index2, row.failed)
        for row in sheet.rows
    )


def _split_sections(lines: Iterable[Line]) -> tuple[list[Line], list[_Section]]:
    """Return the lines before any section, and the sections with their lines."""
    before: list[Line] = []
    sections: list[_Section] = []
    current = before
    for line in lines:
        first = line[1][0]
        if first.startswith("[") and "]" in first:
            sections.append(_Section(first[1 : first.index("]")].strip(), line[0]))
            current = sections[-1].lines
        else:
            current.append(line)
    return before, sections


def _lines_of(sections: list[_Section], key: str) -> list[Line]:
    return [line for section in sections if column_key(section.name) == key for line in section.lines]


def _pairs(lines: list[Line]) -> dict[str, str]:
    """Return name and value of each line; of a repeated name, the last."""
    return {cells[0]: cells[1] if len(cells) > 1 else "" for _, cells in lines if cells[0]}


def _without_padding(cells: list[str]) -> tuple[str, ...]:
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return tuple(cells[:end])


def _family(sections: list[_Section], header: dict[str, str]) -> tuple[Version, str, str]:
    """Return the version, and the keys of the sections of samples and of settings."""
    keys = {column_key(section.name) for section in sections}
    formats = {value for name, value in header.items() if column_key(name) == "fileformatversion"}
    data_key = "bclconvertdata" if "bclconvertdata" in keys else "data"
    settings_key = "bclconvertsettings" if "bclconvertsettings" in keys else "settings"
    if "bclconvertdata" in keys or any(text.startswith("2") for text in formats):
        return "v2", data_key, settings_key
    return ("v1" if sections else ""), data_key, settings_key


def _check_sections(before: list[Line], sections: list[_Section], problems: list[Problem]) -> None:
    if sections and before:
        row, cells = before[0]
        message = "Text stands before the first section and was not read"
        remedy = "Remove it, or begin the line with #."
        problems.append(
            Problem("warning", "text_before_sections", message, remedy, row, text=shown(cells[0]))
        )
    seen: set[str] = set()
    for section in sections:
        if (key := column_key(section.name)) in seen:
            message = "The section stands twice; the lines of both were read"
            problems.append(
                Problem(
                    "warning",
                    "duplicate_section",
                    message,
                    "Join them.",
                    section.row,
                    text=shown(section.name),
                )
            )
        seen.add(key)


def _read_rows(
    lines: list[Line], sections: list[_Section], data_key: str, problems: list[Problem]
) -> tuple[Columns | None, list[SampleRow]]:
    """Return the columns, None where there is no column header, and the rows of samples."""
    start = next((at for at, (_, cells) in enumerate(lines) if is_column_header(cells)), None)
    if start is None:
        problems.append(_no_column_header(lines, sections, data_key))
        return None, []
    if start:
        row, cells = lines[0]
        message = "Text stands between the section and its column header and was not read"
        problems.append(
            Problem("warning", "text_before_columns", message, "Remove it.", row, text=shown(cells[0]))
        )
    columns = first = read_columns(*lines[start], problems)
    rows = []
    for number, cells in lines[start + 1 :]:
        # Two sheets pasted together: the second one's columns may stand elsewhere.
        if not SAMPLE_ID_HEADINGS.isdisjoint(cells):
            message = "The column header stands again"
            problems.append(Problem("warning", "repeated_columns", message, "Remove the line.", number))
            columns = read_columns(number, cells, problems)
        elif sample_row := read_row((number, cells), columns, problems):
            rows.append(sample_row)
    if not rows:
        message = "There is no sample under the column header"
        problems.append(
            Problem("error", "no_samples", message, "Add a row for each sample.", lines[start][0])
        )
    return first, rows


def _no_column_header(lines: list[Line], sections: list[_Section], data_key: str) -> Problem:
    if sections and not any(column_key(section.name) == data_key for section in sections):
        names = ", ".join(f"[{section.name}]" for section in sections)
        message = "There is no section of samples: [Data], or [BCLConvert_Data] in a v2 sheet"
        return Problem("error", "no_data_section", message, TEMPLATE, sections[-1].row, text=shown(names))
    if not lines:
        row = sections[-1].row if sections else None
        return Problem("error", "no_samples", "The section of samples is empty", "Add the samples.", row)
    row, cells = lines[0]
    message = "There is no column Sample_ID, so the samples cannot be known"
    return Problem(
        "error", "no_sample_id_column", message, TEMPLATE, row, "Sample_ID", shown(",".join(cells))
    )


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return the problems by row, at most MOST_PROBLEMS, errors first where there are more."""
    if len(problems) > MOST_PROBLEMS:
        problems = sorted(problems, key=lambda problem: problem.severity)[:MOST_PROBLEMS]
        message = f"Only {MOST_PROBLEMS:,} problems are listed"
        problems.append(Problem("warning", "more_problems", message, "Mend these and check again."))
    return tuple(sorted(problems, key=lambda problem: (problem.row or 0, problem.column or "")))
