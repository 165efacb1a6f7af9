"""Everything there is to say of a sample sheet before its run is converted. Pure.

The page "Check a sample sheet" and `manage.py check_sample_sheet` show this and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from ..expected import ExpectedFile, RunFacts, expected_files, lanes_of_run, reads_of_run
from ..illumina.errors import FormatError, Problem
from ..illumina.run_info import RunInfo, parse_run_info
from ..illumina.sample_sheet import (
    FAMILIES_READ,
    REFUSED_BY_CONVERTERS,
    SampleSheet,
    is_safe_id,
    parse_sample_sheet,
)
from ..layout import converter_layout
from ..sheet_and_run import problems_of_sheet_on_run
from .distances import LaneIndexes, collision_problems, lanes_of_sheet, problems_of_one_index
from .orientation import Orientation, i5_orientation, orientation_problem

RUN_INFO = "RunInfo.xml"
TOOLS = tuple(FAMILIES_READ)

Level = Literal["error", "refused", "warning"]
_WORDS: Mapping[Level, tuple[str, str]] = {
    "error": ("error", "errors"),
    "refused": ("entry that converters refuse", "entries that converters refuse"),
    "warning": ("warning", "warnings"),
}


class Finding(NamedTuple):
    """A problem, the file that it is in ("" for the sheet), and which converters do not start because of it.

    An error leaves nothing to convert. What only warns those who look for files may still be refused by a
    converter.
    """

    problem: Problem
    file: str
    refused_by: tuple[str, ...]

    @property
    def level(self) -> Level:
        if self.problem.severity == "error":
            return "error"
        return "refused" if self.refused_by else "warning"


@dataclass(frozen=True)
class FullCheck:
    """What was read and found: `findings` errors first, then what converters refuse, each by row."""

    sheet: SampleSheet
    run_info: RunInfo | None
    findings: tuple[Finding, ...]
    lanes: Sequence[LaneIndexes]
    orientation: Orientation | None

    @cached_property
    def verdict(self) -> str:
        """The sentence that answers the question: will this sheet do?"""
        if not self.findings:
            return f"The sheet is fine: {self.yields}."
        said = ", ".join(_counted(self.count(level), *_WORDS[level]) for level in _WORDS if self.count(level))
        if refusing := [tool for tool in TOOLS if not self.starts(tool) and self.reads_family(tool)]:
            return f"{said}: {' and '.join(refusing)} would not start."
        if not any(map(self.reads_family, TOOLS)):
            return f"{said}: neither {' nor '.join(TOOLS)} would start."
        return f"The sheet can be used, with {said}: {self.yields}."

    @property
    def yields(self) -> str:
        """`24 samples, 48 FASTQs`."""
        samples, fastqs = len(self.sheet.samples), self.fastq_count
        each = "" if self.knows_lanes else " in each lane"
        return f"{_counted(samples, 'sample', 'samples')}, {_counted(fastqs, 'FASTQ', 'FASTQs')}{each}"

    def count(self, level: Level) -> int:
        return sum(finding.level == level for finding in self.findings)

    def starts(self, tool: str) -> bool:
        """Whether nothing keeps a converter from starting, as far as can be told."""
        wrong = any(finding.level == "error" or tool in finding.refused_by for finding in self.findings)
        return self.reads_family(tool) and not wrong

    def reads_family(self, tool: str) -> bool:
        """Whether a converter reads sheets of this family; of one that cannot be told, nobody knows."""
        return not self.sheet.version or self.sheet.version in FAMILIES_READ[tool]

    # ---- FASTQs ---------------------------------------------------------------------------------------

    @property
    def knows_lanes(self) -> bool:
        """Whether the number of FASTQs does not hang on a number of lanes that nobody told."""
        told = all(sample.lanes for sample in self.sheet.samples)
        return told or not self._splits_lanes or bool(self.run_info and self.run_info.lane_count)

    @cached_property
    def assumed(self) -> str:
        """What the names of FASTQs rest on, where there is no RunInfo.xml to say it; "" where there is."""
        if self.run_info:
            return ""
        source = "told by the section Reads" if self.sheet.reads else "assumed"
        lanes = "" if self.knows_lanes else "; lane 1 stands for each lane of the flow cell"
        return f"Without RunInfo.xml: {' and '.join(self._reads)} are {source}{lanes}."

    @property
    def fastq_count(self) -> int:
        """How many FASTQs of samples BCL Convert writes."""
        layout = converter_layout(TOOLS[0], self.sheet)
        lanes = len(lanes_of_run(self._facts, layout))
        samples = [sample for sample in self.sheet.samples if is_safe_id(sample.sample_id)]
        if not self.sheet.is_usable:
            return 0
        slots = sum(len(sample.lanes) or lanes for sample in samples) if self._splits_lanes else len(samples)
        return slots * len(self._reads)

    def fastqs(self, tool: str, most_samples: int | None = None) -> list[ExpectedFile]:
        """The FASTQs of the first so many samples that a converter writes, in the order of the sheet."""
        sheet = self.sheet
        if most_samples is not None and len(sheet.samples) > most_samples:
            ids = {sample.sample_id for sample in sheet.samples[:most_samples]}
            sheet = replace(sheet, rows=tuple(row for row in sheet.rows if row.sample_id in ids))
        return expected_files(RunFacts(self.run_info, sheet), converter_layout(tool, sheet))

    @property
    def _facts(self) -> RunFacts:
        return RunFacts(self.run_info, self.sheet)

    @property
    def _reads(self) -> tuple[str, ...]:
        return reads_of_run(self._facts, converter_layout(TOOLS[0], self.sheet))

    @property
    def _splits_lanes(self) -> bool:
        return "{lane" in converter_layout(TOOLS[0], self.sheet).pattern


def full_check(sheet: bytes, run_info: bytes | RunInfo | None = None) -> FullCheck:
    """Check the bytes of a sheet, and hold it against its run where that is known. Never raises."""
    parsed = parse_sample_sheet(sheet)
    read, run_info_problems = _read(run_info) if isinstance(run_info, bytes) else (run_info, ())
    lanes = lanes_of_sheet(parsed)
    orientation = i5_orientation(parsed, read)
    findings = [Finding(problem, RUN_INFO, ()) for problem in run_info_problems]
    findings += _findings(parsed, read, lanes, orientation)
    levels = list(_WORDS)
    findings.sort(key=lambda finding: (levels.index(finding.level), finding.problem.row or 0))
    return FullCheck(parsed, read, tuple(findings), lanes, orientation)


def _read(run_info: bytes) -> tuple[RunInfo | None, tuple[Problem, ...]]:
    try:
        return parse_run_info(run_info), ()
    except FormatError as error:
        return None, error.problems


def _findings(
    sheet: SampleSheet,
    run_info: RunInfo | None,
    lanes: Sequence[LaneIndexes],
    orientation: Orientation | None,
) -> Iterator[Finding]:
    for problem in sheet.problems:
        yield Finding(problem, "", TOOLS if problem.code in REFUSED_BY_CONVERTERS else ())
    if run_info:
        yield from (Finding(problem, "", TOOLS) for problem in problems_of_sheet_on_run(sheet, run_info))
    yield from (Finding(problem, "", TOOLS) for problem in collision_problems(lanes))
    strict = TOOLS[:1] if sheet.settings.get("IndependentIndexCollisionCheck") else ()
    yield from (Finding(problem, "", strict) for problem in problems_of_one_index(lanes))
    if turned := orientation_problem(sheet, orientation):
        yield Finding(turned, "", ())
    if sheet.version == "casava" and sheet.is_usable:
        yield Finding(_CASAVA, "", TOOLS)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


_CASAVA = Problem(
    "warning",
    "sheet_family",
    "The sheet has no sections, as CASAVA wrote it; no converter of today reads that",
    "Write a sheet of version 1 or 2: the samples under [Data] or [BCLConvert_Data].",
)
