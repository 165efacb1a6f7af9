"""bcl2fastq2: its command line, and what its Stats.json says. Pure.

Illumina's bcl2fastq2 conversion software guide v2.20, "Command line options" and "JSON file".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sequencing.illumina.sample_sheet import SampleSheet
from sequencing.layout import is_yes

from .figures import DemultiplexFigures, LaneReads, SampleReads, UnknownIndex, most_frequent
from .job import ConversionJob, Converter, Plan, Step

STATS = "Stats/Stats.json"
REPORTS = (STATS,)


def plan(converter: Converter, job: ConversionJob, sheet_copy: str) -> Plan:
    """The one command. What BCL Convert reads in the sheet's settings, bcl2fastq wants as options.

    `--interop-dir` keeps it from writing into the run folder.
    """
    threads = max(job.threads, 1)
    argv = [
        converter.program,
        "--runfolder-dir", str(job.run_folder),
        "--output-dir", str(job.output),
        "--interop-dir", str(job.output / "InterOp"),
        "--sample-sheet", sheet_copy,
        "--loading-threads", str(min(threads, 4)),
        "--processing-threads", str(threads),
        "--writing-threads", str(min(threads, 4)),
    ]  # fmt: skip
    settings = job.sheet.settings
    if is_yes(settings.get("NoLaneSplitting", "")):
        argv.append("--no-lane-splitting")
    if is_yes(settings.get("CreateFastqForIndexReads", "")):
        argv.append("--create-fastq-for-index-reads")
    return Plan((Step("bcl2fastq", tuple(argv)),))


def read_figures(reports: Mapping[str, str], sheet: SampleSheet) -> DemultiplexFigures:
    """Return the figures of the reports' texts by path."""
    stats = json.loads(reports.get(STATS) or "{}")
    projects = {sample.sample_id: sample.project for sample in sheet.samples}
    lanes = stats.get("ConversionResults", ())
    return DemultiplexFigures(
        tuple(
            _sample(lane["LaneNumber"], one, projects)
            for lane in lanes
            for one in lane.get("DemuxResults", ())
        ),
        tuple(
            LaneReads(lane["LaneNumber"], lane["Undetermined"]["NumberReads"])
            for lane in lanes
            if "Undetermined" in lane
        ),
        most_frequent(_unknown(stats.get("UnknownBarcodes", ()))),
    )


def _sample(lane: int, result: Mapping[str, Any], projects: Mapping[str, str]) -> SampleReads:
    metrics = result.get("IndexMetrics", ())
    mismatches = [one.get("MismatchCounts", {}) for one in metrics]
    return SampleReads(
        lane,
        projects.get(result["SampleId"], ""),
        result["SampleId"],
        metrics[0]["IndexSequence"] if metrics else "",
        result["NumberReads"],
        sum(one.get("0", 0) for one in mismatches) if mismatches else None,
        sum(one.get("1", 0) for one in mismatches) if mismatches else None,
    )


def _unknown(lanes: list[Mapping[str, Any]]) -> Iterator[UnknownIndex]:
    for lane in lanes:
        for indexes, reads in lane.get("Barcodes", {}).items():
            index, _, index2 = indexes.partition("+")
            yield UnknownIndex(lane["Lane"], index, index2, reads)
