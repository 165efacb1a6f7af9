"""Reads what converters report of their work into figures. Reads files only.

A report that is missing or cannot be read is noted in the figures, and is no reason to lose hours of work:
whether the FASTQs are right is judged from the FASTQs.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import bcl2fastq, bcl_convert, picard
from .fastq_content import read_through
from .figures import DemultiplexFigures, joined
from .job import ConversionJob, Converter

MOST_COUNTED = 100_000  # different indexes that are counted at a time; rarer ones are dropped now and then
_READERS = {"bcl-convert": bcl_convert, "bcl2fastq": bcl2fastq}


def read_figures(
    converter: Converter, job: ConversionJob, lanes: Iterable[picard.LanePlan], work: Path
) -> DemultiplexFigures:
    """Return the figures: Picard's from its work folder, before its FASTQs are moved out of it."""
    try:
        if converter.name == "picard":
            return joined(_lane_by_picard(lane, work / f"lane{lane.lane}") for lane in lanes)
        return _by_reports(converter.name, job)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        note = f"What {converter.name} reports cannot be read ({type(error).__name__}: {error})."
        return DemultiplexFigures(notes=(note,))


def _by_reports(name: str, job: ConversionJob) -> DemultiplexFigures:
    reader = _READERS[name]
    texts: dict[str, str] = {}
    notes = []
    for path in reader.REPORTS:
        try:
            texts[path] = (job.output / path).read_text(errors="replace")
        except FileNotFoundError:
            notes.append(f"{name} left no {path}.")
    figures = reader.read_figures(texts, job.sheet)
    return joined([figures, DemultiplexFigures(notes=tuple(notes))])


def _lane_by_picard(lane: picard.LanePlan, folder: Path) -> DemultiplexFigures:
    if not lane.has_barcodes:
        reads = read_through(folder / f"{lane.rows[0].prefix}.1.fastq.gz").reads
        return picard.figures_without_barcodes(lane, reads)
    metrics = (folder / "metrics.txt").read_text(errors="replace")
    return picard.figures_of_lane(lane, metrics, _unmatched(folder / "found").items())


def _unmatched(folder: Path) -> Mapping[str, int]:
    """Count the bases of clusters of no sample, in Picard's files of barcodes (bases, Y or N, …)."""
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*_barcode.txt.gz")):
        with gzip.open(path, "rt", errors="replace") as lines:
            for line in lines:
                found, is_matched, *_rest = line.split("\t")
                counts[found] += is_matched == "N"
        if len(counts) > MOST_COUNTED:
            counts = Counter(dict(counts.most_common(MOST_COUNTED // 2)))
    return {found: reads for found, reads in counts.items() if reads}
