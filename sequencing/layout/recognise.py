"""Recognises where the FASTQs of a run lie: learnt from those that are there, else by its sheet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ..illumina.fastq_name import FastqName
from ..illumina.run_info import RunInfo
from ..illumina.run_name import instrument_model
from ..illumina.sample_sheet import SampleRow, SampleSheet
from .owners import READ_PART, has_own_name, index_text, owner_of, row_in_lane, samples_by_name
from .patterns import Layout, pattern_regex

_ENOUGH = 12  # FASTQs to learn a pattern from
_ANALYSIS = re.compile(r"(?:(?:^|/)Analysis/|^Unaligned_)(\d+)/")
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
    """Return n of a path with Analysis/<n>/, where instruments demultiplex on board, or in Unaligned_<n>/,
    where a later conversion put its FASTQs; 0 for any other.
    """
    match = _ANALYSIS.search(path) if "Analysis/" in path or path.startswith("Unaligned_") else None
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
    rest, reads = READ_PART.subn("_{read}", rest, count=1)
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
