"""Picard: its command lines and the tables they read, for a lane at a time; what its metrics say. Pure.

Picard knows nothing of sample sheets: the sheet becomes a read structure and tables of barcodes, and what it
writes gets BCL Convert's names. No text of the sheet stands in a command: rows are called row0, row1, ….
It runs in the work folder of the conversion, where `run` leads to the run folder, since Debian's
PicardCommandLine breaks at spaces in arguments.

Indexes are matched with at most one error in both together; BCL Convert allows one in each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sequencing.illumina.errors import Problem, shown
from sequencing.illumina.fastq_name import fastq_name
from sequencing.illumina.run_info import Read, RunInfo
from sequencing.illumina.sample_sheet import Sample, SampleRow, SampleSheet
from sequencing.layout import is_yes

from .figures import DemultiplexFigures, LaneReads, SampleReads, UnknownIndex, most_frequent
from .job import ConversionJob, Converter, Plan, Step

USE_BCL_CONVERT = "Install bcl-convert, which can."
UNDETERMINED = "Undetermined"
NOTE_UNKNOWN = "Clusters that do not pass the filter are counted among unknown indexes."
_BASE_CALLS = "run/Data/Intensities/BaseCalls"
_RECORDS_A_MEGABYTE = 200  # of a pair of 151 bases, so that half of the memory stays free
_UNSAFE = re.compile(r"[^A-Za-z0-9-]")
_SEQUENCE = re.compile(r"[ACGT]+").fullmatch
_MASK = re.compile(r"(?:[YIUN][1-9][0-9]{0,3})+").fullmatch
_SEGMENT = re.compile(r"([YIUN])([0-9]+)")
_LETTERS = {"Y": "T", "I": "B", "N": "S"}
_COMPLEMENT = str.maketrans("ACGT", "TGCA")

Segments = tuple[tuple[str, int], ...]
"""What the cycles of one read are, in Picard's letters: T(emplate), B(arcode), S(kip), and how many."""


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A row of the sheet in a lane: the prefix of its files, and its indexes as they are read."""

    prefix: str
    sample: Sample | None
    row: SampleRow | None
    barcodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LanePlan:
    """A lane: what its cycles are, and its rows. Rows without barcodes get all reads of the lane."""

    lane: int
    reads: tuple[Segments, ...]
    rows: tuple[LaneRow, ...]

    @property
    def has_barcodes(self) -> bool:
        return any(row.barcodes for row in self.rows)

    @property
    def read_structure(self) -> str:
        return "".join(f"{count}{letter}" for read in self.reads for letter, count in read)

    def count(self, letter: str) -> int:
        """How many reads hold cycles of this kind."""
        return sum(any(one == letter for one, _count in read) for read in self.reads)


# ---- The plan ---------------------------------------------------------------------------------------


def plan(converter: Converter, job: ConversionJob, lanes: Iterable[LanePlan]) -> Plan:
    """All commands of a conversion, lane by lane, their tables, and the names of what they write."""
    lanes = tuple(lanes)
    steps: list[Step] = []
    texts: dict[str, str] = {}
    for lane in lanes:
        if lane.has_barcodes:
            texts |= {f"lane{lane.lane}/barcodes.txt": barcode_file(lane)}
            texts |= {f"lane{lane.lane}/outputs.txt": multiplex_params(lane)}
            steps.append(Step(f"lane{lane.lane}_extract", extract_command(converter.program, job, lane)))
        steps.append(Step(f"lane{lane.lane}_convert", convert_command(converter.program, job, lane)))
    published = [pair for lane in lanes for pair in published_names(lane, job.sheet)]
    return Plan(tuple(steps), texts, tuple(published), {"JAVA_TOOL_OPTIONS": f"-Xmx{job.memory_mb}m"})


def extract_command(program: str, job: ConversionJob, lane: LanePlan) -> tuple[str, ...]:
    folder = f"lane{lane.lane}"
    return (
        program, "ExtractIlluminaBarcodes", *_common(job, lane),
        f"OUTPUT_DIR={folder}/found", f"BARCODE_FILE={folder}/barcodes.txt",
        f"METRICS_FILE={folder}/metrics.txt",
        f"MAX_MISMATCHES={mismatches(job.sheet.settings)}", "MIN_MISMATCH_DELTA=1",
    )  # fmt: skip


def convert_command(program: str, job: ConversionJob, lane: LanePlan) -> tuple[str, ...]:
    """FASTQs as the instrument read them: in its order, with its qualities, without filtered clusters."""
    folder, run = f"lane{lane.lane}", job.run_info
    output: tuple[str, ...] = (f"OUTPUT_PREFIX={folder}/{lane.rows[0].prefix}",)
    if lane.has_barcodes:
        output = (f"BARCODES_DIR={folder}/found", f"MULTIPLEX_PARAMS={folder}/outputs.txt")
    return (
        program, "IlluminaBasecallsToFastq", *_common(job, lane), *output,
        f"RUN_BARCODE={run.run_number or 0}", f"FLOWCELL_BARCODE={_word(run.flowcell)}",
        f"MACHINE_NAME={_word(run.instrument)}", "READ_NAME_FORMAT=CASAVA_1_8",
        "INCLUDE_NON_PF_READS=false", "APPLY_EAMSS_FILTER=false", "SORT=false",
        f"MAX_RECORDS_IN_RAM={max(job.memory_mb * _RECORDS_A_MEGABYTE, 10_000)}",
    )  # fmt: skip


def _common(job: ConversionJob, lane: LanePlan) -> tuple[str, ...]:
    return (
        f"BASECALLS_DIR={_BASE_CALLS}", f"LANE={lane.lane}", f"READ_STRUCTURE={lane.read_structure}",
        f"NUM_PROCESSORS={max(job.threads, 1)}", "COMPRESS_OUTPUTS=true", "TMP_DIR=tmp",
    )  # fmt: skip


def _word(text: str) -> str:
    """A text of RunInfo.xml as it may stand in an argument and in the names of reads."""
    return _UNSAFE.sub("-", text) or "unknown"


def mismatches(settings: Mapping[str, str]) -> int:
    """The errors allowed in an index: the least that the sheet's settings tell, else one."""
    told = [settings.get(f"BarcodeMismatchesIndex{number}", "").strip() for number in (1, 2)]
    return min((int(text) for text in told if text in ("0", "1", "2")), default=1)


def barcode_file(lane: LanePlan) -> str:
    columns = [f"barcode_sequence_{number}" for number in range(1, lane.count("B") + 1)]
    rows = [(*row.barcodes, row.prefix, row.prefix) for row in lane.rows if row.barcodes]
    return _table([(*columns, "barcode_name", "library_name"), *rows])


def multiplex_params(lane: LanePlan) -> str:
    count = lane.count("B")
    columns = [f"BARCODE_{number}" for number in range(1, count + 1)]
    rows = [(f"lane{lane.lane}/{row.prefix}", *(row.barcodes or "N" * count)) for row in lane.rows]
    return _table([("OUTPUT_PREFIX", *columns), *rows])


def _table(rows: Iterable[Sequence[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def published_names(lane: LanePlan, sheet: SampleSheet) -> Iterator[tuple[str, str]]:
    """Yield what Picard calls each FASTQ, and what BCL Convert would."""
    in_lane = None if is_yes(sheet.settings.get("NoLaneSplitting", "")) else lane.lane
    kinds = [(f"{number}", f"R{number}") for number in range(1, lane.count("T") + 1)]
    if is_yes(sheet.settings.get("CreateFastqForIndexReads", "")):
        kinds += [(f"barcode_{number}", f"I{number}") for number in range(1, lane.count("B") + 1)]
    for row in lane.rows:
        for kind, read in kinds:
            if row.sample:
                name = fastq_name(row.sample.sample_id, row.sample.number, in_lane, read)
            else:
                name = fastq_name(UNDETERMINED, 0, in_lane, read)
            folder = f"{row.row.project}/" if row.row and row.row.project else ""
            yield f"lane{lane.lane}/{row.prefix}.{kind}.fastq.gz", folder + name


# ---- From the sheet to lanes --------------------------------------------------------------------------


def plan_lanes(
    sheet: SampleSheet, run_info: RunInfo, lanes: Iterable[int]
) -> tuple[list[LanePlan], list[Problem]]:
    """Return the plan of each lane, and every reason why Picard cannot do what the sheet asks."""
    reads, problems = _reads(sheet, run_info)
    problems += [_cannot("UMIs are cut off the reads", "OverrideCycles")] if _has_umis(sheet) else []
    if any(
        name.lower() == "overridecycles" and text for row in sheet.rows for name, text in row.extra.items()
    ):
        problems.append(_cannot("OverrideCycles differs from row to row", "OverrideCycles"))
    if problems:
        return [], problems
    plans = [_plan_lane(sheet, run_info, reads, lane, problems) for lane in lanes]
    return plans, list(dict.fromkeys(problems))


def sheet_lanes(sheet: SampleSheet) -> tuple[int, ...]:
    """The lanes that the sheet names; empty where some row stands for all."""
    lanes = {row.lane for row in sheet.rows}
    return () if None in lanes else tuple(sorted(lane for lane in lanes if lane))


def _has_umis(sheet: SampleSheet) -> bool:
    return "U" in sheet.settings.get("OverrideCycles", "").upper()


def _reads(sheet: SampleSheet, run_info: RunInfo) -> tuple[list[Segments], list[Problem]]:
    """What the cycles of each read are, by OverrideCycles ("Y151;I8N2;I8N2;Y151") or by RunInfo.xml."""
    text = sheet.settings.get("OverrideCycles", "").strip().upper()
    if not text or "U" in text:
        return [(("B" if read.is_index else "T", read.cycles),) for read in run_info.reads], []
    masks = text.split(";")
    if len(masks) != len(run_info.reads) or not all(map(_MASK, masks)):
        return [], [_cannot("OverrideCycles cannot be read", "OverrideCycles", text)]
    reads = [tuple((_LETTERS[kind], int(count)) for kind, count in _SEGMENT.findall(mask)) for mask in masks]
    for mask, segments, read in zip(masks, reads, run_info.reads, strict=True):
        if sum(count for _letter, count in segments) != read.cycles:
            return [], [_cannot(f"OverrideCycles does not mask {read.cycles} cycles", "OverrideCycles", mask)]
        if sum(letter != "S" for letter, _count in segments) > 1:
            return [], [_cannot("A read is to be taken in several parts", "OverrideCycles", mask)]
    return reads, []


def _plan_lane(
    sheet: SampleSheet, run_info: RunInfo, reads: Sequence[Segments], lane: int, problems: list[Problem]
) -> LanePlan:
    samples = {row.row: sample for sample in sheet.samples for row in sample.rows}
    rows = [row for row in sheet.rows if row.lane in (lane, None)]
    pairs = [indexes_of(row, sheet.version == "casava") for row in rows]
    if not any(map(any, pairs)):
        if len({row.sample_id for row in rows}) > 1:
            message = f"Lane {lane} has several samples and no indexes"
            problems.append(_cannot(message, "index", rows[0].sample_id, rows[0].row, "Write their indexes."))
        row = rows[0] if rows else None
        return LanePlan(lane, tuple(reads), (LaneRow("row0", samples[row.row] if row else None, row, ()),))
    places = [place for place, read in enumerate(reads) if any(letter == "B" for letter, _count in read)]
    lengths = [_length(which, place, rows, pairs, reads, problems) for which, place in enumerate(places)]
    fitted = list(reads)
    for place, length in zip(places, lengths, strict=True):
        fitted[place] = _cut(reads[place], length)
    if not all(lengths) and is_yes(sheet.settings.get("CreateFastqForIndexReads", "")):
        message = f"An index read is to be written for which lane {lane} has no indexes"
        problems.append(_cannot(message, "CreateFastqForIndexReads"))
    used = [(which, run_info.reads[place]) for which, place in enumerate(places) if lengths[which]]
    lane_rows = [
        LaneRow(f"row{at}", samples[row.row], row, _barcodes(row, pair, used, problems))
        for at, (row, pair) in enumerate(zip(rows, pairs, strict=True))
    ]
    return LanePlan(lane, tuple(fitted), (*lane_rows, LaneRow("unmatched", None, None, ())))


def indexes_of(row: SampleRow, is_casava: bool) -> tuple[str, str]:
    """The two indexes of a row. CASAVA sheets write both in one cell, with a dash between."""
    if is_casava and not row.index2:
        index, _, index2 = row.index.partition("-")
        return index, index2
    return row.index, row.index2


def _length(
    which: int,
    place: int,
    rows: Sequence[SampleRow],
    pairs: Sequence[tuple[str, str]],
    reads: Sequence[Segments],
    problems: list[Problem],
) -> int:
    """The one length of an index in a lane; 0 where no row has it, or where that is a problem."""
    indexes = [pair[which] if which < 2 else "" for pair in pairs]
    longest = next(count for letter, count in reads[place] if letter == "B")
    column = ("index", "index2", "")[min(which, 2)]
    first = indexes[0]
    for row, index in zip(rows, indexes, strict=True):
        if len(index) != len(first):
            message = f"The lane has indexes of {len(first)} and of {len(index)} bases"
            remedy = "Write all indexes of a lane in one length, or install bcl-convert."
            problems.append(_cannot(message, column, index, row.row, remedy))
            return 0
    if len(first) > longest:
        message = f"The indexes have {len(first)} bases, and {longest} are read"
        problems.append(_cannot(message, column, first, rows[0].row, f"Cut them to {longest} bases."))
        return 0
    return len(first)


def _cut(read: Segments, length: int) -> Segments:
    """Read only the first bases of an index, skip the rest."""
    segments: list[tuple[str, int]] = []
    for letter, count in read:
        kept = length if letter == "B" else 0
        segments += [("B", kept)] if kept else []
        if count > kept:
            skipped = segments.pop()[1] if segments and segments[-1][0] == "S" else 0
            segments.append(("S", skipped + count - kept))
    return tuple(segments)


def _barcodes(
    row: SampleRow, pair: tuple[str, str], used: Sequence[tuple[int, Read]], problems: list[Problem]
) -> tuple[str, ...]:
    barcodes = []
    for which, read in used:
        index = pair[which]
        if not _SEQUENCE(index):
            message = "The index is not of A, C, G and T alone"
            problems.append(_cannot(message, ("index", "index2")[which], index, row.row))
        barcodes.append(_reverse_complement(index) if read.is_reverse_complement else index)
    return tuple(barcodes)


def _reverse_complement(sequence: str) -> str:
    return sequence.translate(_COMPLEMENT)[::-1]


def _cannot(
    message: str, column: str, text: str = "", row: int | None = None, remedy: str = USE_BCL_CONVERT
) -> Problem:
    message = f"Picard cannot convert this run: {message}" if remedy == USE_BCL_CONVERT else message
    return Problem("error", "picard_cannot", message, remedy, row, column or None, shown(text))


def warnings_of(sheet: SampleSheet, run_info: RunInfo) -> Iterator[Problem]:
    """Yield what Picard does otherwise than BCL Convert would."""
    adapters = [name for name, text in sheet.settings.items() if name.lower().startswith("adapter") and text]
    if adapters:
        message = "Picard does not cut adapters off the reads"
        remedy = "Cut them before mapping, or install bcl-convert."
        yield Problem("warning", "adapters_not_trimmed", message, remedy, column=shown(adapters[0]))
    if any(read.is_index and read.is_reverse_complement for read in run_info.reads):
        message = "RunInfo.xml says that an index was read in reverse, so the sheet's was turned round"
        remedy = "Write it in forward direction, as BCL Convert wants it; look at the unknown indexes."
        yield Problem("warning", "index_reversed", message, remedy, column="index2")


# ---- Figures -------------------------------------------------------------------------------------------


def figures_of_lane(lane: LanePlan, metrics: str, unknown: Iterable[tuple[str, int]]) -> DemultiplexFigures:
    """Figures of a lane with barcodes: by the text of METRICS_FILE, and the (bases, clusters) not matched."""
    rows = {row.prefix: row for row in lane.rows}
    samples: list[SampleReads] = []
    undetermined = 0
    for metric in _metrics(metrics):
        reads = int(metric["PF_READS"])
        row = rows.get(metric["BARCODE_NAME"])
        if row is None or row.sample is None or row.row is None:
            undetermined += reads
            continue
        perfect, one_off = int(metric["PF_PERFECT_MATCHES"]), int(metric["PF_ONE_MISMATCH_MATCHES"])
        index = "+".join(row.barcodes)
        samples.append(
            SampleReads(lane.lane, row.row.project, row.sample.sample_id, index, reads, perfect, one_off)
        )
    first = next((count for read in lane.reads for letter, count in read if letter == "B"), 0)
    strays = [UnknownIndex(lane.lane, text[:first], text[first:], reads) for text, reads in unknown]
    notes = (NOTE_UNKNOWN,) if strays else ()
    return DemultiplexFigures(
        tuple(samples), (LaneReads(lane.lane, undetermined),), most_frequent(strays), notes
    )


def figures_without_barcodes(lane: LanePlan, reads: int) -> DemultiplexFigures:
    """Figures of a lane whose reads all belong to one sample, or to none."""
    row = lane.rows[0]
    if row.sample is None or row.row is None:
        return DemultiplexFigures(undetermined=(LaneReads(lane.lane, reads),))
    return DemultiplexFigures((SampleReads(lane.lane, row.row.project, row.sample.sample_id, "", reads),))


def _metrics(text: str) -> Iterator[dict[str, str]]:
    """The table of a Picard metrics file: after "## METRICS CLASS" a header, then rows up to a blank line."""
    lines = iter(text.splitlines())
    columns: list[str] = []
    for line in lines:
        if line.startswith("## METRICS CLASS"):
            columns = next(lines, "").split("\t")
        elif columns and line:
            yield dict(zip(columns, line.split("\t"), strict=False))
        elif columns:
            return
