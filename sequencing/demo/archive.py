"""Writes the demo archive to disk: everything that a scan can meet, in a dozen small runs."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from .run import DemoSample, demo_samples
from .write import write_run, write_text

SKIP_MARKER = ".variantgrid_skip_flowcell"

BROKEN_SHEET = """\
[Header],,,,
Experiment Name,ExomeV8_0412,,,
[Reads],,,,
151,,,,
151,,,,
[Data],,,,
Sample_ID,Sample_Name,index,index2,Sample_Project
26W0412-01,26W0412-01,CTACTCAGAC,GTCTTTCTGC,ExomeV8
,26W0412-02,TCTGCTCTTG,TGAAGAGGGG,ExomeV8
../26W0412-03,26W0412-03,TATGCAGTGG,AAGTCGCCGA,ExomeV8
26W0412-04,26W0412-04,AATAGATTXX,TGACGTTCCG,ExomeV8
26W0412-05,26W0412-05,CTACTCAGAC,GTCTTTCTGC,ExomeV8
"""


def write_demo_archive(
    root: Path, skip_marker: str = SKIP_MARKER, today: datetime.date = datetime.date(2026, 3, 23)
) -> list[Path]:
    """Write an archive in which everything occurs that a scan can meet on this day; return its run folders.

    Two enrichment kits and a folder of genomes, nine instruments, the three families of sample sheets:
    complete runs, and one each with FASTQs missing, a broken sheet, no sheet, no RunParameters, skipped by
    its own marker, skipped with its group, and still sequencing; besides, a folder that is no run.
    """
    exome, cardio, genomes, pilot = (root / name for name in ("exome_v8", "cardio_panel", "genomes", "pilot"))

    def ago(days: int) -> datetime.date:
        return today - datetime.timedelta(days)

    runs = [
        write_run(exome, instrument="NovaSeq 6000", date=ago(21), number=108, samples=8,
                  project="ExomeV8"),
        write_run(exome, instrument="NextSeq 500", date=ago(14), number=411, project="ExomeV8",
                  samples=[*demo_samples(5, "26W0411", "ExomeV8"), DemoSample("NTC", "ExomeV8")],
                  missing=("26W0411-03_S3_L003_R2_*", "26W0411-05_*", "NTC_*")),
        write_run(exome, instrument="NextSeq 500", date=ago(7), number=412, project="ExomeV8",
                  prefix="Exome_20_022", sheet_text=BROKEN_SHEET, fastqs=False),
        _skipped(write_run(exome, instrument="NextSeq 500", date=ago(5), number=413,
                           project="ExomeV8", suffix="repeat"), skip_marker),
        write_run(exome, instrument="NextSeq 2000", date=ago(2), number=286, project="ExomeV8",
                  sheet="v2", layout="native", samples=12, markers=(), fastqs=False),
        write_run(cardio, instrument="MiSeq", date=ago(19), number=131, project="Cardio",
                  layout="native", samples=6, empty=("*-06_*",)),
        write_run(cardio, instrument="iSeq 100", date=ago(12), number=27, project="Cardio",
                  sheet="v2", layout="bclconvert", samples=3),
        write_run(cardio, instrument="MiSeq", date=ago(3), number=132, project="Cardio",
                  sheet="", layout="native", fastqs=False),
        write_run(cardio, instrument="HiSeq 2500", date=datetime.date(2014, 2, 10), number=52,
                  project="Cardio", sheet="casava", parameters=False, samples=4),
        write_run(genomes, instrument="NovaSeq X", date=ago(10), number=44, project="Genomes",
                  sheet="v2", layout="bclconvert",
                  samples=[*demo_samples(3, "26G0044", "Genomes"),
                           replace(demo_samples(4, "26G0044", "Genomes")[3], failed=True)],
                  missing=("26G0044-04_*",)),
        write_run(genomes, instrument="HiSeq 4000", date=datetime.date(2019, 8, 9), number=709,
                  project="Genomes", lanes=2, samples=2),
        write_run(pilot, instrument="MiniSeq", date=ago(138), number=12, project="Pilot"),
    ]  # fmt: skip
    write_text(pilot / skip_marker, "")
    notes = cardio / "validation_2026"
    notes.mkdir(exist_ok=True)
    write_text(notes / "notes.txt", "Lot numbers of the enrichment kit, for the validation report.\n")
    return runs


def _skipped(run: Path, skip_marker: str) -> Path:
    write_text(run / skip_marker, "")
    return run
