"""All that SeqAuto reads from a run folder or a sample sheet, and why, as plain values. Pure.

The keys of each part are those of `illumina.summary`. Texts are as they stand in the files: whoever prints
them escapes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from .checking import TOOLS, Finding, FullCheck, LaneIndexes, Orientation
from .compare import Comparison, FileRecord, compare
from .expected import RunFacts, SampleKey, expected_files, sample_key
from .illumina.errors import Problem, shown
from .illumina.run_name import RunName
from .illumina.sample_sheet import Sample, SampleSheet
from .illumina.summary import summarise_problem, summarise_run_info, summarise_run_parameters, summarise_sheet
from .layout import FILE_TYPES, FoundFile, choose_metadata, recognise_layout
from .reading import RunReading, read_run
from .run_problems import problems_of_run

Explained = dict[str, Any]


def explain_sheet(sheet: SampleSheet) -> Explained:
    """Say what a sheet says."""
    return summarise_sheet(sheet) | {"samples": [_sample(sample) for sample in sheet.samples]}


def explain_check(check: FullCheck) -> Explained:
    """Say what a sheet says and what was found in it, and which FASTQs each converter makes of it.

    Each problem says in `refused_by` which converters refuse the sheet because of it. Without RunInfo.xml the
    FASTQs stand under `likely_fastqs`, for they rest on what `assumed` says.
    """
    explained = explain_sheet(check.sheet) | {"verdict": check.verdict}
    for severity in ("error", "warning"):
        explained[f"{severity}s"] = [
            summarise_finding(finding) for finding in check.findings if finding.problem.severity == severity
        ]
    explained["starts"] = {tool: check.starts(tool) for tool in TOOLS}
    explained["indexes"] = [_lane(lane) for lane in check.lanes]
    explained["index2_direction"] = _orientation(check.orientation)
    fastqs = {tool: [file.path for file in check.fastqs(tool)] for tool in TOOLS}
    if check.run_info is None:
        return explained | {"likely_fastqs": fastqs, "assumed": check.assumed}
    return explained | {"run_info": summarise_run_info(check.run_info), "expected_fastqs": fastqs}


def summarise_finding(finding: Finding) -> Explained:
    """Return a problem as `summarise_problem` does, with its file where that is not the sheet."""
    file = {"file": finding.file} if finding.file else {}
    return file | summarise_problem(finding.problem) | {"refused_by": list(finding.refused_by)}


def explain_run(
    folder_name: str,
    files: Mapping[str, Sequence[FoundFile]],
    read: Callable[[str], bytes],
    *,
    now: datetime,
    unreadable: Collection[str] = (),
    oddities: Collection[tuple[str, str]] = (),
    control_pattern: re.Pattern[str] | None = None,
    fastq_patterns: Sequence[str] = (),
    markers: Mapping[str, Sequence[str]] | None = None,
) -> Explained:
    """Say all that is read from a run folder, as a scan would read it for the first time.

    `files` are those of a walk, by kind; `read` gives a file's bytes by its path inside the run, or raises
    OSError; `unreadable` and `oddities` are what the walk could not read or passed over.
    """
    reading = read_run(folder_name, files, read, now=now, markers=markers)
    sheet = reading.sheet.sheet if reading.sheet else None
    found = [(kind, file) for kind in FILE_TYPES for file in files.get(kind, ())]
    metadata = [file.path for kind in ("run_info", "sample_sheet") for file in files.get(kind, ())]
    fastqs = [file.path for file in files.get("fastq", ())]
    layout = recognise_layout(fastqs, sheet, reading.run_info, fastq_patterns, metadata)
    facts = RunFacts(reading.run_info, sheet, run_name=folder_name)
    expected = expected_files(facts, layout, control_pattern=control_pattern)
    comparison = compare(
        expected,
        found,
        [],
        samples=sheet.samples if sheet else (),
        layout=layout,
        unreadable=unreadable,
        is_sequencing=reading.is_sequencing,
    )
    kinds = [kind for kind, of_kind in files.items() if of_kind]
    problems = problems_of_run(reading, kinds, comparison, unreadable=unreadable, oddities=oddities)
    told = [{"file": path, **summarise_problem(problem)} for path, problem in problems]
    return {
        "folder_name": folder_name,
        "name": _name(reading.name),
        "instrument": {"serial": reading.instrument or None, "model": reading.model or None},
        "identity": reading.identity,
        "run_info": _part(reading, files, "run_info"),
        "run_parameters": _part(reading, files, "run_parameters"),
        "sample_sheet": _part(reading, files, "sample_sheet"),
        "completion": _completion(reading),
        "layout": {"name": layout.name, "pattern": layout.pattern},
        **_files(comparison, [sample_key(sample) for sample in sheet.samples] if sheet else []),
        "errors": [problem for problem in told if problem["severity"] == "error"],
        "warnings": [problem for problem in told if problem["severity"] == "warning"],
    }


def unreadable_run(folder_name: str, why: str) -> Explained:
    """What there is to say of a folder that cannot be read at all."""
    remedy = "Check the path, and that this account may read the folder."
    problem = Problem("error", "unreadable_folder", f"The folder cannot be read: {shown(why)}", remedy)
    told = {"file": "", **summarise_problem(problem)}
    return {"folder_name": folder_name, "errors": [told], "warnings": []}


# ---- Parts ----------------------------------------------------------------------------------------


def _name(name: RunName | None) -> Explained | None:
    if name is None:
        return None
    return {
        "prefix": name.prefix,
        "date": name.date.isoformat(),
        "instrument": name.instrument,
        "run_number": name.run_number,
        "position": name.position,
        "flowcell": name.flowcell,
        "suffix": name.suffix,
    }


def _part(reading: RunReading, files: Mapping[str, Sequence[FoundFile]], kind: str) -> Explained | None:
    """One metadata file: where it lies, which others of its kind are ignored for it, and what it says."""
    chosen = choose_metadata(files.get(kind, ()))
    if chosen is None:
        return None
    ignored = sorted(file.path for file in files[kind] if file != chosen)
    problems = [problem for path, problem in reading.problems if path == chosen.path]
    return {
        "file": chosen.path,
        "ignored": ignored,
        "malformed": False,
        **(_content(reading, kind) or {"malformed": True}),
        "errors": [summarise_problem(problem) for problem in problems if problem.severity == "error"],
        "warnings": [summarise_problem(problem) for problem in problems if problem.severity == "warning"],
    }


def _content(reading: RunReading, kind: str) -> Explained | None:
    if kind == "run_info":
        return summarise_run_info(reading.run_info) if reading.run_info else None
    if kind == "run_parameters":
        return summarise_run_parameters(reading.run_parameters) if reading.run_parameters else None
    if reading.sheet is None:
        return None
    return explain_sheet(reading.sheet.sheet)


def _sample(sample: Sample) -> Explained:
    return {
        "number": sample.number,
        "id": sample.sample_id,
        "name": sample.sample_name,
        "project": sample.project,
        "lanes": list(sample.lanes),
        "indexes": [[row.index, row.index2] for row in sample.rows],
        "failed": sample.failed,
        "fastqs_can_be_expected": sample.is_safe,
    }


def _lane(lane: LaneIndexes) -> Explained:
    return {
        "lanes": list(lane.lanes),
        "n_index_pairs": len(lane.barcodes),
        "lengths": [[*lengths, count] for lengths, count in lane.lengths],
        "no_sequences": [row for row, _text in lane.no_sequences],
        "least_distance": lane.least,
        "n_collisions": len(lane.collisions),
        "has_more_collisions": lane.has_more,
        "closest": [
            {
                "rows": [pair.first.row, pair.second.row],
                "distance": [pair.distance, pair.distance2],
                "collides": pair.collides,
            }
            for pair in lane.closest
        ],
        "not_compared": lane.not_compared or None,
    }


def _orientation(orientation: Orientation | None) -> Explained | None:
    if orientation is None:
        return None
    return {
        "written": orientation.written or None,
        "known": orientation.known,
        "count": orientation.count,
        "sets": list(orientation.sets),
        "wanted": {tool: direction or None for tool, direction in orientation.wanted.items()},
        "because": orientation.because or None,
    }


def _completion(reading: RunReading) -> Explained:
    done = reading.completion
    return {
        "state": done.state if done else "unknown",
        "present": list(done.present) if done else [],
        "missing": list(done.missing) if done else [],
        "message": done.message if done else "",
        "is_sequencing": reading.is_sequencing,
    }


def _files(comparison: Comparison, samples: Sequence[SampleKey]) -> Explained:
    """What should be there, each with its state, in the order of the sheet; what else is there; counts."""
    places = {sample: place for place, sample in enumerate(samples)}
    expected = [record for record in comparison.new if record.is_expected or record.state == "skipped"]
    expected.sort(
        key=lambda r: (r.file_type, places.get(r.sample, 0) if r.sample else 0, r.lane or 0, r.read)
    )
    others = [record for record in comparison.new if not (record.is_expected or record.state == "skipped")]
    return {
        "expected_files": [_file(record) for record in expected],
        "other_files": [_file(record) for record in others],
        "files_not_checked": comparison.not_checked,
        "n_expected": comparison.files_expected,
        "n_found": comparison.files_found,
        "n_files": comparison.files_total,
        "bytes": comparison.bytes_total,
    }


def _file(record: FileRecord) -> Explained:
    project, sample_id = record.sample or (None, None)
    return {
        "path": record.path,
        "state": record.state,
        "file_type": record.file_type,
        "project": project,
        "sample": sample_id,
        "lane": record.lane,
        "read": record.read or None,
        "size": record.size,
    }
