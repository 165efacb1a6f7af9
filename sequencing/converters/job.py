"""What is to be converted, with what, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sequencing.expected import RunFacts
from sequencing.illumina.run_info import RunInfo
from sequencing.illumina.sample_sheet import SampleSheet

from .figures import DemultiplexFigures


@dataclass(frozen=True, slots=True)
class Converter:
    """A program that is there. `name` is one of CONVERTERS; `version` is as the program prints it, or ""."""

    name: str
    program: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class ConversionJob:
    """One conversion. `output` is a folder of its own, which must not exist or be left by such a job.

    `sheet` is what was checked and `sheet_file` its bytes: the converter gets a copy of exactly these.
    """

    run_folder: Path
    output: Path
    run_info: RunInfo
    sheet: SampleSheet
    sheet_file: Path
    threads: int = 2
    memory_mb: int = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run, in the work folder of the conversion; `name` is that of its log."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a conversion does, known before it starts.

    `texts` are files that the programs read, by path in the work folder. `publish` are (file in the work
    folder, path in the output folder); files with one target are joined in this order.
    """

    steps: tuple[Step, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    publish: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was done: the commands, the seconds they took, the figures, and the FASTQs (path, bytes)."""

    converter: Converter
    commands: tuple[tuple[str, ...], ...]
    seconds: float
    figures: DemultiplexFigures
    files: tuple[tuple[str, int], ...]


def facts_of(run_info: RunInfo, sheet: SampleSheet, lanes_on_disk: tuple[int, ...]) -> RunFacts:
    """What the run should have, with every lane that has base calls: RunInfo.xml may name too few."""
    most = max((run_info.lane_count or 0, *lanes_on_disk))
    return RunFacts(replace(run_info, lane_count=most or None), sheet)
