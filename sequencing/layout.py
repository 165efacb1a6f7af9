"""Which file lives where in a run folder, on an instrument's disk and in an archive.

Where FASTQs lie is written as a pattern, such as `0_fastq/{sample_id}_{read}.fastq.gz`. The pattern of a run
is learnt from the FASTQs found there, so that what is missing is expected beside what is present; where
nothing is found, it follows from the family of the sample sheet.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .illumina.fastq_name import FastqName, parse_fastq_name
from .illumina.run_info import RunInfo
from .illumina.run_name import instrument_model
from .illumina.sample_sheet import Sample, SampleRow, SampleSheet


class FoundFile(NamedTuple):
    """A file that was found: its path inside the run folder ("/" between parts), bytes, and mtime in ns."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of file that scans record. `FILE_TYPES` is the one place where a type is added.

    `pattern` says where its files are expected, inside the run folder; the fields used there (see FIELDS) say
    whether that is one file a run, a sample, a lane or a read. Without a pattern they are the run's FASTQs.
    """

    name: str
    label: str
    suffixes: tuple[str, ...]
    pattern: str = ""


FILE_TYPES: dict[str, FileType] = {
    file_type.name: file_type
    for file_type in (
        FileType("fastq", "FASTQ", (".fastq.gz", ".fq.gz", ".fastq.ora", ".fastq.bz2", ".fastq", ".fq")),
    )
}

_SUFFIXES = tuple((suffix, kind.name) for kind in FILE_TYPES.values() for suffix in kind.suffixes)
_ALL_SUFFIXES = tuple(suffix for suffix, _name in _SUFFIXES)
_METADATA_ENDS = frozenset({".xml", ".txt", ".csv", ".CSV", ".Csv"})
# The case varies between instruments, even of one model.
_METADATA_NAMES = {
    "RunInfo.xml": "run_info",
    "RunParameters.xml": "run_parameters",
    "runParameters.xml": "run_parameters",
    "RTAComplete.txt": "marker",
    "RTAComplete.xml": "marker",
    "CopyComplete.txt": "marker",
    "RunCompletionStatus.xml": "marker",
    "SequenceComplete.txt": "marker",
    "SequencingComplete.txt": "marker",
    "Secondary_Analysis_Complete.txt": "marker",
    "FastqComplete.txt": "marker",
}

# Folders in which no FASTQ and no metadata can lie, however many files they hold.
_PRUNED_NAMES = frozenset({"InterOp", "Thumbnail_Images", "RTALogs", "PeriodicSaveRates"})
_PRUNED_PATHS = frozenset({"Images", "Data/reports", "Data/Status_Files", "Data/TileStatus"})
_LANE_OR_CYCLE = re.compile(r"L\d{3}|C\d{1,4}\.\d").fullmatch
_BASE_CALLS = ("Intensities", "BaseCalls")


def kind_of_file(name: str) -> str | None:
    """Return what a file is by its base name: a file type, a kind of metadata, "marker", or None.

    Called for every file of a walk, so that most names must be told apart by their ends alone.
    """
    if name.endswith(_ALL_SUFFIXES):
        # macOS leaves "._x.fastq.gz", and copying programs ".x.fastq.gz", beside the real file.
        return None if name[0] == "." else _file_type(name)
    if name[-4:] not in _METADATA_ENDS:
        return None
    return _METADATA_NAMES.get(name) or _sheet_or_marker(name.lower())


def _file_type(name: str) -> str | None:
    for suffix, file_type in _SUFFIXES:
        if name.endswith(suffix):
            return file_type
    return None


def _sheet_or_marker(lower_name: str) -> str | None:
    if lower_name.startswith("samplesheet") and lower_name.endswith(".csv"):
        return "sample_sheet"
    if lower_name.startswith("basecalling_netcopy_complete") and lower_name.endswith(".txt"):
        return "marker"
    return None


def is_pruned(path_in_run: str) -> bool:
    """Whether a folder (path inside the run) is not worth walking: base calls, images, and the like."""
    parent, _, name = path_in_run.rpartition("/")
    if name in _PRUNED_NAMES or path_in_run in _PRUNED_PATHS:
        return True
    # Intensities/L001 holds positions, BaseCalls/L001 base calls; elsewhere a project may be called L001.
    return bool(_LANE_OR_CYCLE(name)) and parent.endswith(_BASE_CALLS)


def choose_metadata(files: Iterable[FoundFile]) -> FoundFile | None:
    """Return the file of one kind that counts for the run, None where there is none; the others are ignored.

    A sheet called exactly SampleSheet.csv comes first, then what lies nearest to the run folder. BCL Convert
    leaves copies of its input under Reports/, which come last. Among equals the newest counts.
    """
    return min(files, key=_metadata_rank, default=None)


def _metadata_rank(file: FoundFile) -> tuple[bool, bool, int, int, str]:
    *folders, name = file.path.split("/")
    is_another_sheet = name.lower().startswith("samplesheet") and name != "SampleSheet.csv"
    return is_another_sheet, "Reports" in folders, len(folders), -file.mtime_ns, file.path


# ---- Patterns ------------------------------------------------------------------------------------

# What may stand in braces in a pattern, and what it matches when a path is read.
FIELDS: Mapping[str, str] = {
    "project": r"[^/]+",
    "sample_id": r"[^/]+?",
    "sample_name": r"[^/]+?",
    "number": r"\d+",
    "lane": r"\d+",
    "lane:03d": r"\d{3}",
    "read": r"[RI][1-4]",
    "read_number": r"[1-4]",
    "index": r"[ACGTN+-]+|NoIndex",
    "flowcell": r"[^/]+?",
    "run": r"[^/]+",
}
_FIELD = re.compile(r"\{([^{}]*)\}")


def pattern_problem(pattern: str) -> str:
    """Return what is wrong with a pattern from the settings, "" where it can be used."""
    unknown = [field for field in _FIELD.findall(pattern) if field not in FIELDS]
    if unknown:
        return f"{{{unknown[0]}}} is not a field; known are {', '.join(FIELDS)}"
    if set("{}") & set(_FIELD.sub("", pattern)):
        return "its braces do not match"
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return "it must stay inside the run folder"
    return "" if {"sample_id", "sample_name"} & set(_FIELD.findall(pattern)) else "it names no sample"


@lru_cache(maxsize=1024)
def fields_of(pattern: str) -> frozenset[str]:
    """Return the fields that a pattern uses, such as "sample_id", "lane" and "read"."""
    return frozenset(field.partition(":")[0] for field in _FIELD.findall(pattern))


@lru_cache(maxsize=1024)
def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Return the regular expression that reads the fields of a pattern from a path inside the run."""
    *texts, rest = _FIELD.split(pattern)
    parts: list[str] = []
    seen: set[str] = set()
    for text, field in zip(texts[::2], texts[1::2], strict=True):
        group = field.partition(":")[0]
        parts += [re.escape(text), f"(?P={group})" if group in seen else f"(?P<{group}>{FIELDS[field]})"]
        seen.add(group)
    return re.compile("".join(parts) + re.escape(rest))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a run's FASTQs lie. `name` is for people: "archive", "bcl2fastq", "BCL Convert", "on-board", …

    `pattern` is for samples without a name of their own, `named_pattern` for those whose Sample_Name differs
    from their Sample_ID: bcl2fastq gives these a folder each. `reads` and `lanes` are those that were seen,
    for runs without RunInfo.xml. `readers` read the lab's own patterns.
    """

    name: str
    tool: str
    pattern: str
    named_pattern: str
    reads: tuple[str, ...] = ()
    lanes: tuple[int, ...] = ()
    readers: tuple[re.Pattern[str], ...] = ()

    @property
    def splits_lanes(self) -> bool:
        return "{lane" in self.pattern

    @property
    def folder(self) -> str:
        """The folder above all FASTQs."""
        return self.pattern.partition("{")[0].rpartition("/")[0]

    def read_name(self, path: str) -> FastqName | None:
        """Return what a FASTQ's path says of it, by the lab's patterns or else by its base name."""
        return _read_fields(path, self.readers) or parse_fastq_name(path.rpartition("/")[2])


UNKNOWN_LAYOUT = Layout("", "", "", "")


def read_path(path: str, file_type: FileType, layout: Layout) -> FastqName | None:
    """Return what the path of a file of any type says of it, None where it says nothing."""
    if file_type.pattern:
        return _read_fields(path, (pattern_regex(file_type.pattern),))
    return layout.read_name(path)


def _read_fields(path: str, readers: Iterable[re.Pattern[str]]) -> FastqName | None:
    matches = (reader.fullmatch(path) for reader in readers)
    return next((_name_of_fields(match.groupdict()) for match in matches if match), None)


def _name_of_fields(fields: Mapping[str, str | None]) -> FastqName:
    number, lane = fields.get("number"), fields.get("lane")
    return FastqName(
        sample=fields.get("sample_id") or fields.get("sample_name") or "",
        s_number=int(number) if number else None,
        lane=int(lane) if lane else None,
        read=fields.get("read") or (f"R{fields['read_number']}" if fields.get("read_number") else ""),
        part=None,
        flowcell=fields.get("flowcell") or "",
        index=fields.get("index") or "",
    )


# ---- Whose file it is ----------------------------------------------------------------------------

SamplesByName = Mapping[str, Sequence[Sample]]
_UNKEPT = re.compile(r"[^A-Za-z0-9]+")
_LANE_END = re.compile(r"_L\d{3}$")
_READ_PART = re.compile(r"_[RI]\d(?=(?:_\d{3})?\.[^/]*$)")


def samples_by_name(samples: Iterable[Sample]) -> SamplesByName:
    """Map every text that may stand for a sample in a FASTQ's name to the samples it may stand for."""
    exact: dict[str, list[Sample]] = {}
    altered: dict[str, list[Sample]] = {}
    for sample in samples:
        for text in {sample.sample_id, *(row.sample_name for row in sample.rows if row.sample_name)}:
            exact.setdefault(text, []).append(sample)
            if not text.isalnum():  # MiSeq Reporter writes "A_1" and "A 1" as "A-1"
                altered.setdefault(_UNKEPT.sub("-", text), []).append(sample)
    return altered | exact


def owner_of(path: str, name: FastqName, samples: SamplesByName) -> tuple[Sample | None, FastqName]:
    """Return the sample whose file lies at `path`, and its name, read anew by the ids of the sheet.

    In "Skin_S1_R1.fastq.gz" the sample may be "Skin" or "Skin_S1": the sheet tells. None where it is no
    sample's, or may be several's.
    """
    readings = [name, *_longer_readings(path, name)]
    if name.part is None:  # not written by a converter, which adds _S1 itself and ends in _001
        readings.reverse()
    name = next((reading for reading in readings if reading.sample in samples), name)
    return _likeliest(path, name, samples.get(name.sample, ())), name


def _longer_readings(path: str, name: FastqName) -> Iterator[FastqName]:
    stem = _READ_PART.split(path.rpartition("/")[2])[0]
    without_lane = _LANE_END.sub("", stem)
    if without_lane != name.sample:
        yield FastqName(without_lane, None, name.lane, name.read, name.part)
    if stem != without_lane:
        yield FastqName(stem, None, None, name.read, name.part)


def _likeliest(path: str, name: FastqName, candidates: Sequence[Sample]) -> Sample | None:
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    folders = path.split("/")[:-1]

    def likeness(sample: Sample) -> tuple[bool, bool, bool, bool]:
        return (
            sample.sample_id in folders,
            any(row.project in folders for row in sample.rows),
            sample.sample_id == name.sample,
            sample.number == name.s_number,
        )

    best, second = sorted(candidates, key=likeness, reverse=True)[:2]
    return None if likeness(best) == likeness(second) else best


# ---- Recognising a layout ------------------------------------------------------------------------

_ENOUGH = 12  # FASTQs to learn a pattern from
_ANALYSIS = re.compile(r"(?:^|/)Analysis/(\d+)/")
_BASE_CALLS_FOLDER = "Data/Intensities/BaseCalls"
_ON_BOARD_FOLDER = "Analysis/1/Data/BCLConvert/fastq"


def recognise_layout(
    fastq_paths: Sequence[str],
    sheet: SampleSheet | None,
    run_info: RunInfo | None,
    extra_patterns: Sequence[str] = (),
    metadata_paths: Sequence[str] = (),
) -> Layout:
    """Return where the FASTQs of a run lie: learnt from those found, else what its sheet makes likely.

    `fastq_paths` and `metadata_paths` are inside the run folder. Of several analyses on board (Analysis/<n>)
    the highest counts. `extra_patterns` are the lab's own and come first. Where a scan finds no FASTQ, give
    the paths of those seen before (`compare.paths_seen`): a run whose FASTQs are gone keeps its layout.
    """
    readers = tuple(pattern_regex(pattern) for pattern in extra_patterns)
    likely = _likely_layout(sheet, run_info, extra_patterns, metadata_paths)
    blank = Layout("", "", "", "", readers=readers)
    paths = _latest_analysis(sorted(fastq_paths))
    plain, named = _learn_patterns(paths, sheet, extra_patterns, blank)
    if plain is None:
        plain = _without_own_name(named) if named else likely.pattern
    if named is None:
        named = _with_own_name(plain, likely.tool) if plain != likely.pattern else likely.named_pattern
    reads, lanes = ((), ()) if run_info else _seen(paths, blank)
    tool = "bcl-convert" if "BCLConvert" in plain or "Analysis/" in plain else likely.tool
    return Layout(_layout_name(plain, tool), tool, plain, named, reads, lanes, readers)


def _likely_layout(
    sheet: SampleSheet | None,
    run_info: RunInfo | None,
    extra_patterns: Sequence[str],
    metadata_paths: Sequence[str],
) -> Layout:
    version = sheet.version if sheet else ""
    tool = "bcl-convert" if version == "v2" else "bcl2fastq"
    if extra_patterns:
        return Layout("", tool, extra_patterns[0], extra_patterns[0])
    if any(path.startswith(("0_fastq/", "4_QC/")) for path in metadata_paths):
        pattern = "0_fastq/{sample_id}_{read}.fastq.gz"
        return Layout("", tool, pattern, pattern)
    if version == "casava":  # CASAVA 1.8 user guide, "FASTQ files"
        name = "{sample_id}_{index}_L{lane:03d}_{read}_001.fastq.gz"
        pattern = "Unaligned/Project_{project}/Sample_{sample_id}/" + name
        return Layout("", tool, pattern, pattern)
    written = converter_layout(tool, sheet)
    on_board = run_info is not None and instrument_model(run_info.instrument).startswith("NovaSeq X")
    folder = _ON_BOARD_FOLDER if on_board and tool == "bcl-convert" else _BASE_CALLS_FOLDER
    return Layout("", tool, f"{folder}/{written.pattern}", f"{folder}/{written.named_pattern}")


def converter_layout(tool: str, sheet: SampleSheet | None) -> Layout:
    """Return where "bcl-convert" or "bcl2fastq" writes the FASTQs of a sheet, inside its output folder.

    Without options: BCL Convert then makes no project folders, bcl2fastq always does.
    """
    lane = "" if sheet and is_yes(sheet.settings.get("NoLaneSplitting", "")) else "_L{lane:03d}"
    name = "{sample_id}_S{number}" + lane + "_{read}_001.fastq.gz"
    pattern = name if tool == "bcl-convert" else "{project}/" + name
    return Layout(tool, tool, pattern, _with_own_name(pattern, tool))


def is_yes(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "y"}


def _with_own_name(pattern: str, tool: str) -> str:
    """bcl2fastq2 guide, "FASTQ files": <project>/<Sample_ID>/<Sample_Name>_S…, where the two differ."""
    if tool != "bcl2fastq" or "{project}/{sample_id}_S{number}" not in pattern:
        return pattern
    return pattern.replace("{sample_id}_S", "{sample_id}/{sample_name}_S")


def _without_own_name(pattern: str) -> str:
    return pattern.replace("{sample_id}/{sample_name}_S", "{sample_id}_S").replace("sample_name", "sample_id")


def analysis_number(path: str) -> int:
    """Return n of a path with Analysis/<n>/, where instruments demultiplex on board; 0 for any other."""
    match = _ANALYSIS.search(path) if "Analysis/" in path else None
    return int(match[1]) if match else 0


def _latest_analysis(paths: Sequence[str]) -> Sequence[str]:
    latest = max(map(analysis_number, paths), default=0)
    return [path for path in paths if analysis_number(path) == latest]


def _learn_patterns(
    paths: Sequence[str], sheet: SampleSheet | None, extra_patterns: Sequence[str], blank: Layout
) -> tuple[str | None, str | None]:
    """Return the most common pattern of samples without, and of those with, a name of their own."""
    samples = samples_by_name(sheet.samples if sheet else ())
    plain: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for path in paths[:: max(1, len(paths) // _ENOUGH)]:
        own = next((p for p, r in zip(extra_patterns, blank.readers, strict=True) if r.fullmatch(path)), None)
        if own:
            plain[own] += 1
            named[own] += 1
        elif name := blank.read_name(path):
            sample, name = owner_of(path, name, samples)
            row = row_in_lane(sample, name.lane) if sample else None
            if row and (pattern := _generalise(path, name, row)):
                (named if has_own_name(row) else plain)[pattern] += 1
    return _most_common(plain), _most_common(named)


def has_own_name(row: SampleRow) -> bool:
    return bool(row.sample_name) and row.sample_name != row.sample_id


def row_in_lane(sample: Sample, lane: int | None) -> SampleRow:
    """Return the sample's (first) row for a lane; its very first where none names the lane."""
    return next((row for row in sample.rows if row.lane == lane), sample.rows[0])


_INDEX = re.compile(r"[A-Za-z0-9-]+").fullmatch


def index_text(row: SampleRow) -> str:
    """Return a row's index as CASAVA writes it into FASTQ names: i7-i5, i7, or NoIndex."""
    text = f"{row.index}-{row.index2}" if row.index2 else row.index
    return text if _INDEX(text) else "NoIndex"


def _most_common(patterns: Counter[str]) -> str | None:
    """Among equally common ones that with lanes, which asks for more: a missing lane must not go unseen."""

    def rank(pattern: str) -> tuple[int, bool, int, str]:
        return patterns[pattern], "{lane" in pattern, -pattern.count("/"), pattern

    return max(patterns, key=rank, default=None)


_NUMBER_PART = re.compile(r"^_S\d+(?=_)")
_LANE_PART = re.compile(r"_L\d{3}(?=_)")


def _generalise(path: str, name: FastqName, row: SampleRow) -> str | None:
    """Turn the path of one sample's FASTQ into a pattern for all; None where its parts are not known."""
    folder, _, base = path.rpartition("/")
    if "{" in path or not base.startswith(name.sample) or name.part not in (None, 1):
        return None
    rest = base[len(name.sample) :]
    if name.index:
        if name.index != index_text(row):
            return None
        rest = rest.replace(name.index, "{index}", 1)
    rest = _NUMBER_PART.sub("_S{number}", rest, count=1)
    if name.lane is not None:
        rest = _LANE_PART.sub("_L{lane:03d}", rest, count=1)
    rest, reads = _READ_PART.subn("_{read}", rest, count=1)
    texts = {row.sample_id: "{sample_id}"}
    if has_own_name(row):
        texts[row.sample_name] = "{sample_name}"
    if reads == 0 or name.sample not in texts or ("{lane" in rest) != (name.lane is not None):
        return None
    folders = [_general_folder(part, texts, row.project) for part in folder.split("/")] if folder else []
    return "/".join([*folders, texts[name.sample] + rest])


def _general_folder(part: str, texts: Mapping[str, str], project: str) -> str:
    if part in texts:
        return texts[part]
    if project and part in (project, f"Project_{project}"):
        return part.removesuffix(project) + "{project}"
    if part.startswith("Sample_") and part[7:] in texts:
        return "Sample_" + texts[part[7:]]
    return part


def _seen(paths: Sequence[str], layout: Layout) -> tuple[tuple[str, ...], tuple[int, ...]]:
    names = [name for path in paths if (name := layout.read_name(path))]
    lanes = {name.lane for name in names if name.lane is not None}
    return tuple(sorted({name.read for name in names if name.read})), tuple(sorted(lanes))


def _layout_name(pattern: str, tool: str) -> str:
    if pattern.startswith("0_fastq/"):
        return "archive"
    if _ANALYSIS.search(pattern):
        return "on-board"
    return "BCL Convert" if tool == "bcl-convert" else tool
