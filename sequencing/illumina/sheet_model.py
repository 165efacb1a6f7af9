"""What a sample sheet says: its rows and the samples they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from .errors import Problem
from .safe_names import is_safe_id

Version = Literal["v1", "v2", "casava", ""]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One row of samples. `row` is its line in the file; `lane` None means every lane.

    Texts are trimmed, indexes in upper case with a written "na" as ""; `extra` holds all other columns.
    """

    row: int
    lane: int | None
    sample_id: str
    sample_name: str
    index: str
    index2: str
    project: str
    description: str = ""
    failed: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, however many rows it stands on.

    `number` is the S number of its FASTQ names, from 1. `lanes` is empty where the sample is in every lane.
    `is_safe` says that its id, names and projects may stand in a path. `failed` means failed on all rows.
    `sample_name`, `project` and `extra` are those of its first row; where rows differ, each row has its own.
    """

    number: int
    sample_id: str
    sample_name: str
    project: str
    lanes: tuple[int, ...]
    rows: tuple[SampleRow, ...]
    failed: bool
    is_safe: bool
    extra: Mapping[str, str]


@dataclass(frozen=True)
class SampleSheet:
    """A sample sheet as read, with all that is wrong with it in `problems`.

    `version` is "" where no family fits. `header`, `settings` map names to texts as written; `reads` are the
    cells of [Reads], `columns` those of the column header.
    """

    version: Version
    sections: tuple[str, ...]
    header: Mapping[str, str]
    reads: tuple[tuple[str, ...], ...]
    settings: Mapping[str, str]
    columns: tuple[str, ...]
    rows: tuple[SampleRow, ...]
    problems: tuple[Problem, ...]

    @cached_property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @cached_property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def is_usable(self) -> bool:
        """Whether samples can be known from the sheet: it has no errors."""
        return not self.errors

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The unique samples in the order in which they first stand in the sheet.

        One Sample_ID is one sample, over all lanes and rows, and its place in this order is the S number of
        its FASTQs (Illumina: "order that samples are listed in the sample sheet starting with 1").
        """
        rows: dict[str, list[SampleRow]] = {}
        for row in self.rows:
            rows.setdefault(row.sample_id, []).append(row)
        return tuple(_sample(number, tuple(of_one)) for number, of_one in enumerate(rows.values(), 1))


def both_indexes(row: SampleRow, version: Version) -> tuple[str, str]:
    """Return the two indexes of a row. CASAVA sheets write both in one cell, with a dash between."""
    if version == "casava" and not row.index2:
        index, _, index2 = row.index.partition("-")
        return index, index2
    return row.index, row.index2


def _sample(number: int, rows: tuple[SampleRow, ...]) -> Sample:
    first = rows[0]
    lanes = {row.lane for row in rows}
    texts = {text for row in rows for text in (row.sample_id, row.sample_name, row.project) if text}
    return Sample(
        number,
        first.sample_id,
        first.sample_name,
        first.project,
        () if None in lanes else tuple(sorted(lane for lane in lanes if lane is not None)),
        rows,
        all(row.failed for row in rows),
        all(map(is_safe_id, texts)),
        first.extra,
    )
