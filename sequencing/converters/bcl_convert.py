"""BCL Convert: its command line, and what its reports say. Pure.

Illumina's BCL Convert software guide, "Command line options" and "Output files".
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping

from sequencing.illumina.sample_sheet import SampleSheet

from .figures import DemultiplexFigures, LaneReads, SampleReads, UnknownIndex, most_frequent
from .job import ConversionJob, Converter, Plan, Step

STATS = "Reports/Demultiplex_Stats.csv"
UNKNOWN = "Reports/Top_Unknown_Barcodes.csv"
REPORTS = (STATS, UNKNOWN)


def plan(converter: Converter, job: ConversionJob, sheet_copy: str) -> Plan:
    """The one command. Lanes are split, and index reads written, as the sheet's settings say.

    `--force` lets it write into a folder that exists. Tiles are worked at one by one, since it takes several
    GB for each tile worked at side by side.
    """
    threads = str(max(job.threads, 1))
    argv = (
        converter.program,
        "--bcl-input-directory", str(job.run_folder),
        "--output-directory", str(job.output),
        "--sample-sheet", sheet_copy,
        "--bcl-sampleproject-subdirectories", "true",
        "--bcl-num-parallel-tiles", "1",
        "--bcl-num-conversion-threads", threads,
        "--bcl-num-compression-threads", threads,
        "--bcl-num-decompression-threads", threads,
        "--force",
    )  # fmt: skip
    return Plan((Step("bcl-convert", argv),))


def read_figures(reports: Mapping[str, str], sheet: SampleSheet) -> DemultiplexFigures:
    """Return the figures of the reports' texts by path. Columns are found by name: versions differ."""
    projects = {sample.sample_id: sample.project for sample in sheet.samples}
    samples, undetermined = [], []
    for row in _rows(reports.get(STATS, "")):
        reads = _number(row.get("# Reads")) or 0
        if row.get("SampleID") == "Undetermined":
            undetermined.append(LaneReads(_number(row.get("Lane")), reads))
        elif sample_id := row.get("SampleID"):
            samples.append(
                SampleReads(
                    _number(row.get("Lane")),
                    projects.get(sample_id, ""),
                    sample_id,
                    (row.get("Index") or "").strip("-"),
                    reads,
                    _number(row.get("# Perfect Index Reads")),
                    _number(row.get("# One Mismatch Index Reads")),
                )
            )
    unknown = [
        UnknownIndex(_number(row.get("Lane")), row.get("index") or "", row.get("index2") or "", count)
        for row in _rows(reports.get(UNKNOWN, ""))
        if (count := _number(row.get("# Reads")))
    ]
    return DemultiplexFigures(tuple(samples), tuple(undetermined), most_frequent(unknown))


def _rows(text: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(text.splitlines())


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
