"""What a run of the demo is, and the names that follow from it."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from sequencing.illumina.fastq_name import fastq_name

from .instruments import INSTRUMENTS, Instrument

DEMO_DATE = datetime.date(2026, 3, 2)


@dataclass(frozen=True, slots=True)
class DemoSample:
    """A sample as the sheet gives it; `lanes` empty means every lane of the run."""

    sample_id: str
    project: str = "Panel"
    sample_name: str = ""
    index: str = ""
    index2: str = ""
    lanes: tuple[int, ...] = ()
    description: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What to write: see `write_run`, whose keywords these fields are."""

    instrument: str = "MiSeq"
    date: datetime.date = DEMO_DATE
    number: int = 31
    flowcell: str = ""
    prefix: str = ""
    suffix: str = ""
    samples: int | Sequence[DemoSample] = 4
    project: str = "Panel"
    sheet: Literal["v1", "v2", "casava", ""] = "v1"
    sheet_text: str | None = None
    layout: Literal["archive", "native", "bclconvert"] = "archive"
    reads: int = 2
    cycles: int = 151
    lanes: int = 0
    split_lanes: bool | None = None
    missing: Collection[str] = ()
    empty: Collection[str] = ()
    fastqs: bool = True
    run_info: bool = True
    parameters: bool = True
    markers: Collection[str] | None = None
    experiment_name: str | None = None

    @property
    def maker(self) -> Instrument:
        return INSTRUMENTS[self.instrument]

    @property
    def flowcell_id(self) -> str:
        return self.flowcell or self.maker.flowcell.format(
            tail=_letters(f"{self.maker.serial} {self.number}"), number=self.number
        )

    @property
    def run_id(self) -> str:
        """The run's name as the instrument gave it, without what a lab added."""
        maker = self.maker
        number = f"{self.number:0{maker.number_width}d}"
        date = self.date.strftime(maker.name_date)
        return f"{date}_{maker.serial}_{number}_{maker.position}{self.flowcell_id}"

    @property
    def folder_name(self) -> str:
        return "_".join(part for part in (self.prefix, self.run_id, self.suffix) if part)

    @property
    def experiment(self) -> str:
        return f"{self.project}_{self.number:04d}" if self.experiment_name is None else self.experiment_name

    @property
    def lane_count(self) -> int:
        return self.lanes or self.maker.lanes

    @property
    def splits_lanes(self) -> bool:
        return self.maker.split_lanes if self.split_lanes is None else self.split_lanes

    @property
    def sample_list(self) -> list[DemoSample]:
        """The samples in sheet order, with indexes where none were given."""
        samples = self.samples
        if isinstance(samples, int):
            samples = demo_samples(samples, f"{self.date:%y}W{self.number:04d}", self.project)
        return [
            sample
            if sample.index
            else replace(sample, index=bases(f"i7 {n}", 10), index2=bases(f"i5 {n}", 10))
            for n, sample in enumerate(samples, 1)
        ]

    @property
    def gives_lanes(self) -> bool:
        """Whether the sheet has a row for every lane."""
        return self.maker.sheet_lanes or self.sheet == "casava" or any(s.lanes for s in self.sample_list)

    @property
    def gives_failed(self) -> bool:
        return any(sample.failed for sample in self.sample_list)

    def sheet_rows(self) -> Iterator[tuple[int | None, DemoSample]]:
        """The rows of the sheet, lane by lane, as sheets of many lanes are made; None where not given."""
        for lane in range(1, self.lane_count + 1) if self.gives_lanes else [None]:
            yield from ((lane, sample) for sample in self.sample_list if lane in (sample.lanes or (lane,)))


def demo_samples(count: int, prefix: str = "26W0031", project: str = "Panel") -> list[DemoSample]:
    """`count` samples with ids `<prefix>-01`, `<prefix>-02`, …"""
    return [DemoSample(f"{prefix}-{number:02d}", project) for number in range(1, count + 1)]


def fastq_paths(run: DemoRun) -> list[tuple[str, DemoSample | None, int]]:
    """Every FASTQ that a converter makes of the run: path inside it, sample (None: Undetermined), read."""
    numbers: dict[str, int] = {}
    for _, sample in run.sheet_rows():
        numbers.setdefault(sample.sample_id, len(numbers) + 1)
    lanes = range(1, run.lane_count + 1) if run.splits_lanes else [None]
    return [
        (f"{_fastq_folder(run, sample)}/{_converter_name(sample, numbers, lane, read)}", sample, read)
        for lane in lanes
        for sample in [*run.sample_list, None]
        if not (sample and sample.lanes and lane) or lane in sample.lanes
        for read in range(1, run.reads + 1)
    ]


def _converter_name(sample: DemoSample | None, numbers: dict[str, int], lane: int | None, read: int) -> str:
    if sample is None:
        return fastq_name("Undetermined", 0, lane, f"R{read}")
    return fastq_name(sample.sample_name or sample.sample_id, numbers[sample.sample_id], lane, f"R{read}")


def _fastq_folder(run: DemoRun, sample: DemoSample | None) -> str:
    if run.layout == "archive":
        return "0_fastq"
    if run.layout == "native":
        return "Data/Intensities/BaseCalls"
    return f"Unaligned/{sample.project}" if sample and sample.project else "Unaligned"


@lru_cache(maxsize=4096)
def bases(seed: str, length: int) -> str:
    """Bases that look random and are the same for the same seed."""
    digest = hashlib.shake_256(seed.encode()).digest(length)
    return "".join("ACGT"[byte & 3] for byte in digest)


def _letters(seed: str) -> str:
    digest = hashlib.shake_256(seed.encode()).digest(5)
    return "".join("BCDFGHJKLMNPRTVWXY23456789"[byte % 26] for byte in digest)
