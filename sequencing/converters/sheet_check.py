"""What must hold of a sample sheet before a run is converted: every fault at once, told beforehand. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sequencing.checking import collision_problems, lanes_of_sheet
from sequencing.illumina.errors import Problem
from sequencing.illumina.run_info import RunInfo
from sequencing.illumina.sample_sheet import FAMILIES_READ, REFUSED_BY_CONVERTERS, SampleSheet
from sequencing.sheet_and_run import problems_of_sheet_on_run

from .job import Converter
from .picard import plan_lanes, sheet_lanes, warnings_of


def check_sheet(sheet: SampleSheet, run_info: RunInfo, converter: Converter) -> tuple[Problem, ...]:
    """Return what is wrong with the sheet of this run for this converter, errors first.

    An error means that the converter would refuse the sheet or convert wrongly. What is a warning when a
    folder is scanned is an error here, where converters refuse it or would find no reads.
    """
    refused = [_as_error(problem) for problem in sheet.problems]
    unfit = [replace(problem, severity="error") for problem in problems_of_sheet_on_run(sheet, run_info)]
    problems = dict.fromkeys([*refused, *unfit, *_of_converter(sheet, run_info, converter)])
    return tuple(sorted(problems, key=lambda problem: (problem.severity, problem.row or 0)))


def _as_error(problem: Problem) -> Problem:
    return replace(problem, severity="error") if problem.code in REFUSED_BY_CONVERTERS else problem


def _of_converter(sheet: SampleSheet, run_info: RunInfo, converter: Converter) -> Iterator[Problem]:
    if not sheet.is_usable:
        return
    if converter.name == "picard":
        lanes = sheet_lanes(sheet) or range(1, (run_info.lane_count or 1) + 1)
        yield from plan_lanes(sheet, run_info, lanes)[1]
        yield from warnings_of(sheet, run_info)
        return
    for problem in collision_problems(lanes_of_sheet(sheet)):
        yield replace(problem, severity="error")
    if sheet.version not in FAMILIES_READ[converter.name]:
        family = "without sections" if sheet.version == "casava" else f"of version {sheet.version}"
        remedy = f"Write a sheet of version {' or '.join(FAMILIES_READ[converter.name])}."
        message = f"{converter.name} does not read sample sheets {family}"
        yield Problem("error", "sheet_family", message, remedy)
