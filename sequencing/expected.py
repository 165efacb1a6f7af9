"""Which files a run should have: from its RunInfo.xml, its sample sheet, and where its files lie."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .illumina.run_info import RunInfo
from .illumina.sample_sheet import Sample, SampleRow, SampleSheet, is_safe_id
from .layout import FILE_TYPES, FileType, Layout, fields_of, has_own_name, index_text, is_yes

SampleKey = tuple[str, str]
"""Project and Sample_ID."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run. `lane_count` is for runs whose RunInfo.xml is missing or does not say."""

    run_info: RunInfo | None
    sheet: SampleSheet | None
    lane_count: int | None = None
    run_name: str = ""


class ExpectedFile(NamedTuple):
    """A file that should be there: its path in the run folder and whose it is. `lane` None means all lanes.

    `skip_reason` says why its absence is no loss ("control sample", "failed sample"); "" where it is one.
    """

    file_type: str
    path: str
    sample: SampleKey | None
    lane: int | None
    read: str
    skip_reason: str = ""


def sample_key(sample: Sample) -> SampleKey:
    return sample.project, sample.sample_id


def expected_files(
    facts: RunFacts,
    layout: Layout,
    *,
    control_pattern: re.Pattern[str] | None = None,
    file_types: Mapping[str, FileType] = FILE_TYPES,
) -> list[ExpectedFile]:
    """Return the files that the run's sheet asks for, in the order of the sheet, no path twice.

    Empty without a usable sheet. A sample whose texts are not safe in its path has none: its sheet says so.
    """
    if facts.sheet is None or not facts.sheet.is_usable:
        return []
    run = _Run(
        reads_of_run(facts, layout),
        lanes_of_run(facts, layout),
        facts.run_name,
        _UNSAFE.sub("", facts.run_info.flowcell) if facts.run_info else "",
    )
    files: dict[str, ExpectedFile] = {}
    for sample in facts.sheet.samples:
        is_control = is_control_sample(sample, control_pattern)
        fastq_pattern = layout.named_pattern if has_own_name(sample.rows[0]) else layout.pattern
        for file_type in file_types.values():
            pattern = file_type.pattern or fastq_pattern
            if sample.is_safe or _may_stand_in(sample, fields_of(pattern)):
                for file in _files_of_sample(sample, file_type.name, pattern, run, is_control):
                    files.setdefault(file.path, file)
    return list(files.values())


class _Run(NamedTuple):
    reads: Sequence[str]
    lanes: Sequence[int]
    name: str
    flowcell: str


# Stand for the read until it is known: a path is made once for all reads, since this is the hot loop.
_READ, _READ_NUMBER = "\x00", "\x01"
_UNSAFE = re.compile(r"[^A-Za-z0-9-]")


def is_control_sample(sample: Sample, control_pattern: re.Pattern[str] | None) -> bool:
    """Whether a sample's id or name says that it is a control, whose files nobody misses."""
    if control_pattern is None:
        return False
    return bool(control_pattern.search(sample.sample_id) or control_pattern.search(sample.sample_name))


def _may_stand_in(sample: Sample, fields: Collection[str]) -> bool:
    """Whether those texts of a sample are safe that a path with these fields would hold."""
    texts = [getattr(row, field) for row in sample.rows for field in _FROM_SHEET.intersection(fields)]
    return all(is_safe_id(text) for text in texts if text)


_FROM_SHEET = frozenset({"sample_id", "sample_name", "project"})


def _files_of_sample(
    sample: Sample, file_type: str, pattern: str, run: _Run, is_control: bool
) -> Iterator[ExpectedFile]:
    """One file a run, a sample, a lane or a read, as the fields of the pattern say."""
    fields = fields_of(pattern)
    key = None if fields.isdisjoint({"sample_id", "sample_name"}) else sample_key(sample)
    for lane in (sample.lanes or run.lanes) if "lane" in fields else (None,):
        rows = _rows_in_lane(sample, lane)
        row = rows[0]
        skip_reason = _skip_reason(rows, is_control) if key else ""
        path = _without_empty_project(pattern, row).format(
            project=row.project,
            sample_id=row.sample_id,
            sample_name=row.sample_name or row.sample_id,
            number=sample.number,
            lane=lane,
            read=_READ,
            read_number=_READ_NUMBER,
            index=index_text(row) if "index" in fields else "",
            run=run.name,
            flowcell=run.flowcell,
        )
        if fields.isdisjoint({"read", "read_number"}):
            yield ExpectedFile(file_type, path, key, lane, "", skip_reason)
            continue
        for read in run.reads:
            path_of_read = path.replace(_READ, read).replace(_READ_NUMBER, read[1:])
            yield ExpectedFile(file_type, path_of_read, key, lane, read, skip_reason)


def _rows_in_lane(sample: Sample, lane: int | None) -> Sequence[SampleRow]:
    if lane is None or len(sample.rows) == 1:
        return sample.rows
    return [row for row in sample.rows if row.lane in (lane, None)] or sample.rows


def _skip_reason(rows: Sequence[SampleRow], is_control: bool) -> str:
    if is_control:
        return "control sample"
    return "failed sample" if all(row.failed for row in rows) else ""


_PROJECT_FOLDER = re.compile(r"[^/{}]*\{project\}/")


def _without_empty_project(pattern: str, row: SampleRow) -> str:
    return pattern if row.project or "{project}" not in pattern else _PROJECT_FOLDER.sub("", pattern)


# ---- Lanes and reads ------------------------------------------------------------------------------


def lanes_of_run(facts: RunFacts, layout: Layout) -> tuple[int, ...]:
    """Return every lane: by RunInfo.xml, else as told, else those of the FASTQs found, else one."""
    count = (facts.run_info.lane_count if facts.run_info else None) or facts.lane_count
    if count:
        return tuple(range(1, count + 1))
    return layout.lanes or (1,)


def reads_of_run(facts: RunFacts, layout: Layout) -> tuple[str, ...]:
    """Return the reads that become FASTQs ("R1", "R2", "I1", …).

    By RunInfo.xml and the sheet's OverrideCycles; without RunInfo.xml by the sheet's [Reads], else by the
    FASTQs found, else R1 and R2, since most runs are paired and a missing R2 must not go unseen. Index reads
    only where the sheet asks for them (CreateFastqForIndexReads).
    """
    settings = facts.sheet.settings if facts.sheet else {}
    if facts.run_info is not None and facts.run_info.reads:
        data, index = _reads_by_run_info(facts.run_info, settings)
        asked = is_yes(settings.get("CreateFastqForIndexReads", ""))
        return _numbered("R", data) + (_numbered("I", index) if asked else ())
    in_sheet = _reads_by_sheet(facts.sheet)
    return _numbered("R", in_sheet) if in_sheet else (_data_reads(layout.reads) or ("R1", "R2"))


def _reads_by_run_info(run_info: RunInfo, settings: Mapping[str, str]) -> tuple[int, int]:
    """Return how many reads become R1, R2, … and how many are index reads.

    OverrideCycles ("Y151;I8;U9;Y151", BCL Convert user guide) gives one mask for each read of the run: Y
    marks bases, I an index, U a UMI (a FASTQ of its own only with TrimUMI 0), N cycles left out.
    """
    override = settings.get("OverrideCycles", "").upper()
    masks = override.split(";")
    if override and len(masks) == len(run_info.reads):
        keeps_umis = settings.get("TrimUMI", "") == "0"
        has_index = ["I" in mask for mask in masks]
        has_bases = ["Y" in mask or (keeps_umis and "U" in mask and "I" not in mask) for mask in masks]
        return sum(has_bases), sum(has_index)
    index = sum(read.is_index for read in run_info.reads)
    return len(run_info.reads) - index, index


def _reads_by_sheet(sheet: SampleSheet | None) -> int:
    """[Reads] holds one number a read (v1), or Read1Cycles,151 (v2), where index reads are named so."""
    cells = [row for row in (sheet.reads if sheet else ()) if row and row[0].strip()]
    lengths = [row[0] if row[0].strip().isdecimal() else row[-1] for row in cells if _is_data_read(row[0])]
    return sum(length.strip().isdecimal() and int(length) > 0 for length in lengths)


def _is_data_read(cell: str) -> bool:
    return cell.strip().isdecimal() or re.fullmatch(r"Read[12]Cycles", cell.strip()) is not None


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number}" for number in range(1, count + 1))


def _data_reads(reads: Sequence[str]) -> tuple[str, ...]:
    return tuple(read for read in reads if read.startswith("R"))
