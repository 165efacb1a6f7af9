"""Which way round the second index (i5) is written in a sheet, and which way a converter wants it. Pure.

Some instruments read i5 forward, others its reverse complement. Where RunInfo.xml says IsReverseComplement of
that read, BCL Convert turns the sheet's i5 itself and so wants it forward; bcl2fastq never does. The table is
Illumina's "i5 Index Orientation Table" (Illumina Connected Software; Knowledge 1800); of HiSeq its "Indexed
Sequencing Overview Guide" (15057455), for paired-end runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..illumina.errors import Problem, shown
from ..illumina.run_info import RunInfo
from ..illumina.run_name import instrument_model
from ..illumina.sample_sheet import FAMILIES_READ, SampleSheet, both_indexes
from ..illumina.sheet_text import column_key

Direction = Literal["forward", "reverse complement", ""]
FORWARD: Direction = "forward"
TURNED: Direction = "reverse complement"

# The i5 bases of two sets that many labs use, forward (Illumina Adapter Sequences, 1000000002694).
_NEXTERA = """
    TAGATCGC CTCTCTAT TATCCTCT AGAGTAGA GTAAGGAG ACTGCATA AAGGAGTA CTAAGCCT CGTCTAAT
    TCTCTCCG TCGACTAG TTCTAGCT CCTAGAGT GCGTAAGA CTATTAAG AAGGCTAT GAGCCTTA TTATGCGA
"""
_TRUSEQ = "TATAGCCT ATAGAGGC CCTATCCT GGCTCTGA AGGCGAAG TAATCTTA CAGGACGT GTACTGAC"
KNOWN_SETS = {"Nextera": frozenset(_NEXTERA.split()), "TruSeq": frozenset(_TRUSEQ.split())}
# By bcl-convert, and by bcl2fastq. The NovaSeq 6000 reads it forward with v1.0 reagents and turned with v1.5.
_WANTED: Mapping[str, tuple[Direction, Direction]] = {
    "MiSeq": (FORWARD, FORWARD),
    "MiSeq i100": (FORWARD, ""),
    "HiSeq 2000/2500": (FORWARD, FORWARD),
    "MiniSeq": (TURNED, TURNED),
    "iSeq 100": (TURNED, TURNED),
    "NextSeq 500/550": (TURNED, TURNED),
    "HiSeq 3000/4000": (TURNED, TURNED),
    "HiSeq X": (TURNED, TURNED),
    "NextSeq 1000/2000": (FORWARD, TURNED),
    "NovaSeq X": (FORWARD, TURNED),
}
# How sheets begin to name an instrument under InstrumentPlatform, InstrumentType or Instrument Type.
_NAMED_IN_SHEETS = {
    "miseqi100": "MiSeq i100",
    "miseq": "MiSeq",
    "iseq": "iSeq 100",
    "nextseqminiseq": "NextSeq 500/550",
    "miniseq": "MiniSeq",
    "nextseq1": "NextSeq 1000/2000",
    "nextseq2": "NextSeq 1000/2000",
    "nextseq5": "NextSeq 500/550",
    "novaseqx": "NovaSeq X",
    "novaseq": "NovaSeq 6000",
    "hiseqx": "HiSeq X",
    "hiseq3": "HiSeq 3000/4000",
    "hiseq4": "HiSeq 3000/4000",
    "hiseq2": "HiSeq 2000/2500",
}
_INSTRUMENT_KEYS = ("instrumentplatform", "instrumenttype")
MOSTLY = 0.8
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True, slots=True)
class Orientation:
    """How i5 is written, and how each converter wants it; "" where nobody can tell.

    `known` of `count` different indexes are of a set in `KNOWN_SETS`, named in `sets`, in the direction
    `written`. `because` says what the wanted directions follow from.
    """

    written: Direction
    known: int
    count: int
    sets: tuple[str, ...]
    wanted: Mapping[str, Direction]
    because: str


def i5_orientation(sheet: SampleSheet, run_info: RunInfo | None) -> Orientation | None:
    """Return what is likely of the sheet's second index, None where it has none."""
    indexes = {index2 for row in sheet.rows if (index2 := both_indexes(row, sheet.version)[1])}
    if not indexes:
        return None
    written, known, sets = _written(indexes)
    wanted, because = _wanted(sheet, run_info)
    return Orientation(written, known, len(indexes), sets, wanted, because)


def orientation_problem(sheet: SampleSheet, orientation: Orientation | None) -> Problem | None:
    """Return a warning where every converter that reads such a sheet wants i5 the other way round."""
    if orientation is None or not orientation.written or orientation.known < MOSTLY * orientation.count:
        return None
    tools = [tool for tool, families in FAMILIES_READ.items() if sheet.version in families]
    wanted = {orientation.wanted[tool] for tool in tools}
    if not wanted or wanted & {"", orientation.written}:
        return None
    row = next(row for row in sheet.rows if both_indexes(row, sheet.version)[1])
    message = (
        f"The second index is likely written in the wrong direction: {orientation.known} of "
        f"{orientation.count} are {' and '.join(orientation.sets)} indexes, {_direction(orientation.written)}"
    )
    verb = "want" if len(tools) > 1 else "wants"
    remedy = (
        f"Write them {_direction(*wanted)}, as {' and '.join(tools)} {verb} them for {orientation.because}; "
        "otherwise nearly all reads become Undetermined."
    )
    text = both_indexes(row, sheet.version)[1]
    return Problem("warning", "index2_direction", message, remedy, row.row, "index2", shown(text))


def _direction(direction: str) -> str:
    return "forward" if direction == FORWARD else "in reverse complement"


def _written(indexes: set[str]) -> tuple[Direction, int, tuple[str, ...]]:
    found: dict[Direction, dict[str, int]] = {}
    for direction, ours in ((FORWARD, indexes), (TURNED, set(map(reverse_complement, indexes)))):
        counts = {name: len(ours & sequences) for name, sequences in KNOWN_SETS.items()}
        found[direction] = {name: count for name, count in counts.items() if count}
    forward, turned = sum(found[FORWARD].values()), sum(found[TURNED].values())
    if forward == turned:
        return "", 0, ()
    likely = FORWARD if forward > turned else TURNED
    return likely, max(forward, turned), tuple(found[likely])


def _wanted(sheet: SampleSheet, run_info: RunInfo | None) -> tuple[dict[str, Direction], str]:
    """How each converter wants it, and why."""
    turns = [read.is_reverse_complement for read in (run_info.reads if run_info else ()) if read.is_index]
    if len(turns) > 1 and turns[1]:
        return {
            "bcl-convert": FORWARD,
            "bcl2fastq": TURNED,
        }, "a run whose RunInfo.xml says IsReverseComplement"
    model = instrument_model(run_info.instrument) if run_info else ""
    model = model or _model_in_sheet(sheet)
    by_convert, by_bcl2fastq = _WANTED.get(model, ("", ""))
    return {"bcl-convert": by_convert, "bcl2fastq": by_bcl2fastq}, f"the {model}" if model else ""


def _model_in_sheet(sheet: SampleSheet) -> str:
    named = [column_key(text) for name, text in sheet.header.items() if column_key(name) in _INSTRUMENT_KEYS]
    models = (model for text in named for start, model in _NAMED_IN_SHEETS.items() if text.startswith(start))
    return next(models, "")


def reverse_complement(sequence: str) -> str:
    return sequence.translate(_COMPLEMENT)[::-1]
