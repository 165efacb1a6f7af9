"""Whether a sample sheet fits the run it is for: its lanes and indexes against RunInfo.xml. Pure.

All are warnings: samples and files are known all the same, but a converter refuses the sheet or finds little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .illumina.errors import Problem, shown
from .illumina.run_info import RunInfo
from .illumina.sample_sheet import SampleRow, SampleSheet, both_indexes


def problems_of_sheet_on_run(sheet: SampleSheet, run_info: RunInfo) -> list[Problem]:
    """Return what of a sheet cannot be right for this run."""
    return [*_lanes(sheet, run_info), *_indexes(sheet, run_info), *_override_cycles(sheet, run_info)]


def _lanes(sheet: SampleSheet, run_info: RunInfo) -> Iterator[Problem]:
    count = run_info.lane_count
    for row in sheet.rows:
        if count and row.lane and row.lane > count:
            message = f"The flow cell has {count} lane{'s'[: count > 1]}"
            remedy = "Correct the lane, or check that this is the sheet of this run."
            yield Problem("warning", "lane_beyond_flow_cell", message, remedy, row.row, "Lane", str(row.lane))


def _indexes(sheet: SampleSheet, run_info: RunInfo) -> Iterator[Problem]:
    """One problem for each column and wrong length, at the first row that has it."""
    cycles = [read.cycles for read in run_info.reads if read.is_index] if run_info.reads else None
    if cycles is None:
        return
    masked = bool(sheet.settings.get("OverrideCycles"))
    seen: dict[tuple[int, int], list[tuple[SampleRow, str]]] = {}
    for row in sheet.rows:
        for which, index in enumerate(both_indexes(row, sheet.version)):
            if _SEQUENCE(index):  # the names of index sets have no length
                seen.setdefault((which, len(index)), []).append((row, index))
    for (which, length), rows in sorted(seen.items()):
        told = _length_problem(which, length, cycles, sheet.version == "v2" and not masked)
        if told:
            code, message, remedy = told
            row, index = rows[0]
            others = f" (this row and {len(rows) - 1} more)" if len(rows) > 1 else ""
            column = ("index", "index2")[which]
            yield Problem("warning", code, message + others, remedy, row.row, column, shown(index))


_SEQUENCE = re.compile(r"[ACGTNacgtn]+").fullmatch


def _length_problem(
    which: int, length: int, cycles: list[int], must_match: bool
) -> tuple[str, str, str] | None:
    """BCL Convert asks for indexes as long as they were read, unless OverrideCycles says otherwise."""
    ordinal = ("first", "second")[which]
    if which >= len(cycles):
        message = f"The run has no {ordinal} index read"
        return "no_such_index_read", message, "Remove this index, or check that this is the run's sheet."
    if length > cycles[which]:
        message = f"The index has {length} bases, and the run reads {cycles[which]} of the {ordinal} index"
        return "index_longer_than_read", message, f"Cut the indexes to {cycles[which]} bases."
    if length < cycles[which] and must_match:
        message = f"The index has {length} bases, and the run reads {cycles[which]} of the {ordinal} index"
        remedy = (
            f"Write {cycles[which]} bases, or set OverrideCycles with I{length}N{cycles[which] - length}."
        )
        return "index_shorter_than_read", message, remedy
    return None


def _override_cycles(sheet: SampleSheet, run_info: RunInfo) -> Iterator[Problem]:
    text = sheet.settings.get("OverrideCycles", "")
    if not text or not run_info.reads:
        return
    lengths = [sum(map(int, re.findall(r"\d{1,6}", mask))) for mask in text.split(";")]
    cycles = [read.cycles for read in run_info.reads]
    if lengths != cycles:
        message = (
            f"OverrideCycles masks reads of {_listed(lengths)} cycles, and the run has {_listed(cycles)}"
        )
        remedy = "Write one mask for each read of RunInfo.xml, index reads too, with all of its cycles."
        yield Problem(
            "warning", "override_cycles_do_not_fit", message, remedy, None, "OverrideCycles", shown(text)
        )


def _listed(numbers: list[int]) -> str:
    return " + ".join(map(str, numbers))
