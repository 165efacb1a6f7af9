"""Convert: base calls to FASTQs that are all there, whole, and of the right samples."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.utils import timezone

from sequencing.converters import (
    ConversionJob,
    ConversionProblem,
    Limits,
    OnBoard,
    check_sheet,
    convert,
    find_converter,
    judge,
    onboard_fastqs,
)
from sequencing.copying import copy_verified, list_folder, manifest_path
from sequencing.copying.places import claimed
from sequencing.disk import read_metadata, walk_run
from sequencing.illumina.errors import Problem
from sequencing.reading import RunReading, SheetFile, read_run

from ..delivery_rules import DeliveryRules, fastqs_name
from ..delivery_work import StepProblem, Work
from .common import lab_folder, step_problem, step_problems

Figures = dict[str, Any]

RECORD = "seqauto_conversion.json"  # the figures of a finished conversion, beside its FASTQs


def convert_run(work: Work, rules: DeliveryRules) -> Figures:
    """Make FASTQs, or adopt those of the instrument; give them their name when all are there and whole."""
    folder = lab_folder(rules.fastq_dir, "FASTQ folder", "SEQAUTO_FASTQ_DIR")
    delivery = work.delivery
    final = folder / delivery.name / fastqs_name(delivery.conversion)
    with step_problems(), claimed(folder / f"{delivery.name}.{delivery.conversion}"):
        reading = _read(delivery.path, rules)
        made = _made_before(final, work, reading) if final.exists() else _make(final, work, reading, rules)
        return made | {"listing": list_folder(final).digest}  # clean-up removes nothing that came later


def _make(final: Path, work: Work, reading: RunReading, rules: DeliveryRules) -> Figures:
    delivery = work.delivery
    partial = final.parent.with_name(f".{delivery.name}.{delivery.conversion}.partial")
    job = _job(reading, Path(delivery.path), partial, rules)
    on_board = onboard_fastqs(job.run_folder)
    if on_board is None and (job.run_folder / "Analysis").is_dir():
        _refuse(work, "on_board", "The instrument converts this run itself", [_ON_BOARD_IS_NOT_READY])
    figures = _adopt(work, on_board, partial) if on_board else _convert(work, job, rules)
    work.say("Reading every FASTQ to its end")
    verdict = judge(job, control_pattern=rules.control_pattern)
    _refuse(work, "fastqs", "The FASTQs are not as they should be", verdict.problems, figures.get("log", ""))
    figures |= {
        "folder": str(final),
        "run_listing": work.seen,
        "sheet_sha256": sha256(_sheet_of(reading).content).hexdigest(),
        "warnings": [shown_problem(problem) for problem in verdict.warnings],
        "files": [asdict(file) for file in verdict.files],
    }
    _publish(job.run_folder, partial, final, reading, figures)
    return figures


_ON_BOARD_IS_NOT_READY = Problem(
    "error",
    "on_board_not_ready",
    "its analysis in Analysis/ is not complete, or has made no FASTQs",
    "Wait until it is complete, then retry; or override this to convert the run here.",
)


def _job(reading: RunReading, run: Path, output: Path, rules: DeliveryRules) -> ConversionJob:
    sheet = _sheet_of(reading)
    if reading.run_info is None:
        raise StepProblem(
            "no_run_info",
            "RunInfo.xml is missing or cannot be read; it says how many reads and lanes there are.",
            "Put the instrument's RunInfo.xml into the run folder, then retry.",
            problems=[shown_problem(problem) for _path, problem in reading.problems],
        )
    return ConversionJob(
        run, output, reading.run_info, sheet.sheet, run / sheet.path,
        rules.converter.threads, rules.converter.memory_mb,
    )  # fmt: skip


def _sheet_of(reading: RunReading) -> SheetFile:
    if reading.sheet is None:
        raise StepProblem(
            "no_sheet",
            "The run has no sample sheet.",
            "Put its SampleSheet.csv into the run folder, then retry.",
        )
    return reading.sheet


def _convert(work: Work, job: ConversionJob, rules: DeliveryRules) -> Figures:
    converter = find_converter(rules.converter.wanted, rules.converter.programs)
    if converter is None:
        raise StepProblem(
            "no_converter",
            f"No converter is installed here; looked for {', '.join(rules.converter.wanted)}.",
            "Install bcl-convert (or Debian's picard-tools), or name its path in SEQAUTO_CONVERTER_PROGRAMS.",
        )
    _refuse(work, "sheet", "The sample sheet has errors", check_sheet(job.sheet, job.run_info, converter))
    work.say(f"{converter.name} {converter.version}")
    limits = Limits(rules.converter.hours * 3600, rules.converter.silence_minutes * 60)
    logs = rules.logs_dir / str(work.delivery.pk) / f"convert_{work.step.attempts}"
    try:
        done = convert(
            converter,
            job,
            logs=logs,
            limits=limits,
            progress=lambda share, size: work.progress(size, share=share),
            stop=work.must_stop,
        )
    except ConversionProblem as problem:
        raise step_problem(problem, str(problem.log or "")) from problem
    return {
        "converter": converter.name,
        "version": converter.version,
        "commands": [list(argv) for argv in done.commands],
        "seconds": round(done.seconds, 1),
        "demultiplexing": done.figures.to_json() | {"total": done.figures.total},
        "log": str(max(logs.glob("*.log"), default="")),
    }


def _adopt(work: Work, on_board: OnBoard, partial: Path) -> Figures:
    """Take the FASTQs that the instrument made, by a verified copy."""
    work.say("Adopting the FASTQs that the instrument made")
    if partial.exists():
        shutil.rmtree(partial)  # ours: the name is that of a conversion that never ended
    manifest_path(partial).unlink(missing_ok=True)
    copy_verified(
        on_board.folder,
        partial,
        progress=lambda done, total: work.progress(done // 2, total // 2),
        stop=work.must_stop,
    )
    manifest_path(partial).unlink()
    return {"converter": "on board", "version": f"Analysis {on_board.analysis}", "adopted": True}


def _refuse(work: Work, code: str, what: str, problems: Iterable[Problem], log: str = "") -> None:
    """Raise StepProblem with every error that nobody has overridden."""
    errors = [one for one in problems if one.severity == "error" and one.code not in work.delivery.overrides]
    if errors:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise StepProblem(
            code,
            f"{what}: {errors[0].message}{more}.",
            errors[0].remedy,
            problems=[shown_problem(problem) for problem in errors],
            log=log,
        )


# These would become paths, keys or arguments: no reason makes them safe.
_NEVER_OVERRIDDEN = frozenset({"hostile_name", "unsafe_name", "linked_fastq", "truncated_fastq"})


def shown_problem(problem: Problem) -> dict[str, Any]:
    return asdict(problem) | {"can_override": problem.code not in _NEVER_OVERRIDDEN}


_TELL_OF_THE_RUN = ("RunInfo.xml", "RunParameters.xml", "runParameters.xml")  # by model of instrument


def _publish(run: Path, partial: Path, final: Path, reading: RunReading, figures: Figures) -> None:
    """Give the FASTQs their name, with what a scan needs to know of the run beside them."""
    sheet = _sheet_of(reading)
    final.parent.mkdir(exist_ok=True)
    _write_synced(final.parent / "SampleSheet.csv", sheet.content)
    for name in _TELL_OF_THE_RUN:
        if (run / name).is_file():
            _write_synced(final.parent / name, read_metadata(run / name))
    _write_synced(partial / RECORD, json.dumps(figures, indent=1).encode())
    for folder, _folders, _files in os.walk(partial):
        _sync(Path(folder))
    os.rename(partial, final)  # refuses a folder that holds anything
    _sync(final.parent)
    _sync(final.parent.parent)


def _made_before(final: Path, work: Work, reading: RunReading) -> Figures:
    """The figures of a conversion that got its name, by a worker that died before it could say so."""
    remedy = "Press Convert again: it makes FASTQs under a new number and overwrites nothing."
    try:
        figures: Figures = json.loads((final / RECORD).read_bytes())
    except (OSError, ValueError):
        raise StepProblem("conflict", f"{final} is there and was not made here.", remedy) from None
    if figures.get("sheet_sha256") != sha256(_sheet_of(reading).content).hexdigest():
        raise StepProblem("conflict", f"{final} was made with another sample sheet.", remedy)
    if figures.get("run_listing") != work.seen:
        raise StepProblem("conflict", f"{final} was made before files of the run changed.", remedy)
    changed = [one["path"] for one in figures["files"] if not _has_size(final / one["path"], one["size"])]
    if changed:
        raise StepProblem("conflict", f"{final}: {changed[0]} is gone or has another size.", remedy)
    return figures


# ---- reading and writing ----


def _read(path: str, rules: DeliveryRules) -> RunReading:
    folder = Path(path)
    listing = walk_run(path)
    return read_run(
        folder.name,
        listing.files,
        lambda inside: read_metadata(folder / inside),
        now=timezone.now(),
        markers=rules.markers,
    )


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _write_synced(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.partial")
    with draft.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
