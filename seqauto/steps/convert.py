"""Convert: base calls to FASTQs that are all there, whole, and of the right samples."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.utils import timezone

from sequencing.converters import (
    ConversionJob,
    ConversionProblem,
    Converter,
    Limits,
    OnBoard,
    Verdict,
    check_sheet,
    convert,
    find_converter,
    judge,
    onboard_fastqs,
)
from sequencing.converters.output_folder import RECORD as CONVERTERS_RECORD
from sequencing.copying import copy_verified, list_folder, manifest_path
from sequencing.copying.places import claimed, partial_path
from sequencing.disk import read_metadata, walk_run
from sequencing.illumina.errors import Problem, shown
from sequencing.reading import RunReading, SheetFile, read_run

from ..delivery_rules import DeliveryRules, fastqs_name
from ..delivery_states import override_key
from ..delivery_work import StepInterrupted, StepProblem, Work
from ..models.deliveries import StepKind
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
        find_or_make = _made_before if os.path.lexists(final) else _make
        figures = find_or_make(final, work, reading, rules)
        _keep_sheet(work, _sheet_of(reading))
        return figures | {"listing": list_folder(final).digest}  # clean-up removes nothing that came later


def _keep_sheet(work: Work, sheet: SheetFile) -> None:
    """Put the sheet beside the backup where it is not the one in it: people correct sheets after the run."""
    backup = Path(work.delivery.steps.get(kind=StepKind.BACK_UP).figures["folder"])
    with suppress(FileNotFoundError):
        if (backup / sheet.path).read_bytes() == sheet.content:
            return
    digest = sha256(sheet.content).hexdigest()
    _write_synced(backup.with_name(f"{backup.name}.SampleSheet.{digest[:12]}.csv"), sheet.content)


def judged_files(work: Work, rules: DeliveryRules, figures: Figures) -> list[dict[str, Any]]:
    """The FASTQs of a finished conversion; judged again where no hash tells what was judged."""
    files: list[dict[str, Any]] = figures["files"]
    if all(file.get("md5") for file in files):
        return files
    path = work.delivery.path
    job = _job(_read(path, rules), Path(path), Path(figures["folder"]), rules)
    return [asdict(file) for file in _judged(work, job, rules).files]


def _make(final: Path, work: Work, reading: RunReading, rules: DeliveryRules) -> Figures:
    delivery = work.delivery
    partial = final.parent.with_name(f".{delivery.name}.{delivery.conversion}.partial")
    job = _job(reading, Path(delivery.path), partial, rules)
    on_board = _made_on_board(work, job.run_folder)
    figures = _adopt(work, on_board, partial) if on_board else _convert(work, job, rules)
    figures |= _figures(final, work, reading, _judged(work, job, rules, figures.get("log", "")))
    _publish(work, partial, final, reading, figures)
    return figures


def _made_on_board(work: Work, run: Path) -> OnBoard | None:
    """The instrument's own FASTQs, at first; who has them converted again wants others than those."""
    if work.delivery.conversion > 1:
        return None
    on_board = onboard_fastqs(run)
    if on_board is None and (run / "Analysis").is_dir():
        _refuse(work, "on_board", "The instrument converts this run itself", [_ON_BOARD_IS_NOT_READY])
    return on_board


_ON_BOARD_IS_NOT_READY = Problem(
    "error",
    "on_board_not_ready",
    "its analysis in Analysis/ is not complete, or has made no FASTQs",
    "Wait until it is complete, then retry; or override this to convert the run here.",
)


def _judged(work: Work, job: ConversionJob, rules: DeliveryRules, log: str = "") -> Verdict:
    """Read every FASTQ of a job; refuse what is wrong with them and what nobody has overridden."""
    work.say("Reading every FASTQ to its end")
    try:
        verdict = judge(
            job, control_pattern=rules.control_pattern, progress=work.progress, stop=work.must_stop
        )
    except ConversionProblem as problem:
        raise step_problem(problem, log) from problem
    _refuse(work, "fastqs", "The FASTQs are not as they should be", verdict.problems, log)
    return verdict


def _figures(final: Path, work: Work, reading: RunReading, verdict: Verdict) -> Figures:
    return {
        "folder": str(final),
        "run_listing": work.seen,
        "sheet_sha256": sha256(_sheet_of(reading).content).hexdigest(),
        "warnings": [shown_problem(problem) for problem in verdict.warnings],
        "files": [asdict(file) for file in verdict.files],
        "bytes": sum(file.size for file in verdict.files),
    }


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
    converter = _converter(rules)
    _refuse(work, "sheet", "The sample sheet has errors", check_sheet(job.sheet, job.run_info, converter))
    work.say(f"{converter.name} {converter.version}")
    limits = Limits(rules.converter.hours * 3600, rules.converter.silence_minutes * 60)
    logs = rules.logs_dir / str(work.delivery.pk) / f"convert_{work.step.attempts}"
    if not (job.output / CONVERTERS_RECORD).exists():  # a converter's it empties itself, once it has ended
        _forget(job.output)
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


def _converter(rules: DeliveryRules) -> Converter:
    try:
        found = find_converter(rules.converter.wanted, rules.converter.programs)
    except ConversionProblem as problem:
        remedy = "Install it there, mount its disk or correct SEQAUTO_CONVERTER_PROGRAMS, then retry."
        raise StepProblem(problem.code, problem.sentence, remedy) from problem
    if found is None:
        raise StepProblem(
            "no_converter",
            f"No converter is installed here; looked for {', '.join(rules.converter.wanted)}.",
            "Install bcl-convert (or Debian's picard-tools), or name its path in SEQAUTO_CONVERTER_PROGRAMS.",
        )
    return found


def _adopt(work: Work, on_board: OnBoard, partial: Path) -> Figures:
    """Take the FASTQs that the instrument made, by a verified copy."""
    work.say("Adopting the FASTQs that the instrument made")
    _forget(partial)
    copy_verified(
        on_board.folder,
        partial,
        progress=lambda done, total: work.progress(done // 2, total // 2),
        stop=work.must_stop,
    )
    manifest_path(partial).unlink()
    return {"converter": "on board", "version": f"Analysis {on_board.analysis}", "adopted": True}


def _forget(partial: Path) -> None:
    """Remove what a try that never ended left; the name says that it is ours."""
    for folder in (partial_path(partial), partial):
        if folder.is_dir():
            shutil.rmtree(folder)
    manifest_path(partial).unlink(missing_ok=True)


def _refuse(work: Work, code: str, what: str, problems: Iterable[Problem], log: str = "") -> None:
    """Raise StepProblem with every error that nobody has overridden."""
    overrides = work.delivery.overrides
    errors = [
        one for one in problems if one.severity == "error" and override_key(asdict(one)) not in overrides
    ]
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


def _publish(work: Work, partial: Path, final: Path, reading: RunReading, figures: Figures) -> None:
    """Give the FASTQs their name, with what a scan needs to know of the run beside them."""
    run, sheet = Path(work.delivery.path), _sheet_of(reading)
    final.parent.mkdir(exist_ok=True)
    _write_synced(final.parent / "SampleSheet.csv", sheet.content)
    for name in _TELL_OF_THE_RUN:
        if (run / name).is_file():
            _write_synced(final.parent / name, read_metadata(run / name))
    _write_synced(partial / RECORD, json.dumps(figures, indent=1).encode())
    for folder, _folders, _files in os.walk(partial):
        _sync(Path(folder))
    if work.must_stop():
        raise StepInterrupted("It was stopped, or taken over, before its FASTQs got their name.")
    os.rename(partial, final)  # refuses a folder that holds anything
    _sync(final.parent)
    _sync(final.parent.parent)


def _made_before(final: Path, work: Work, reading: RunReading, rules: DeliveryRules) -> Figures:
    """The figures of a conversion that got its name, by a worker that died before it could say so.

    Whoever may write beside the FASTQs may have written the record: only what the converter told is taken
    from it. The FASTQs are judged again, and must be those that it names.
    """
    recorded = _record_of(final, work, reading, rules)
    job = _job(reading, Path(work.delivery.path), final, rules)
    try:
        figures = _figures(final, work, reading, _judged(work, job, rules))
    except StepProblem as problem:
        raise _in_the_way(f"{final}: {problem}") from problem
    found = {file["path"]: file for file in figures["files"]}
    for file in recorded["files"]:
        was = {key: file[key] for key in ("size", "md5") if key in file}
        if not was.items() <= found.get(file["path"], {}).items():
            raise _in_the_way(f"{final}: {shown(file['path'], 500)} is gone, or is not what was made.")
    return {key: recorded[key] for key in _TOLD_BY_CONVERTERS if key in recorded} | figures


_TOLD_BY_CONVERTERS = ("converter", "version", "commands", "seconds", "demultiplexing", "adopted", "log")


def _record_of(final: Path, work: Work, reading: RunReading, rules: DeliveryRules) -> Figures:
    """What was written beside FASTQs that have their name, if it tells of this run and sheet."""
    try:
        if final.is_symlink():
            raise ValueError("a link")
        record: Figures = json.loads(read_metadata(final / RECORD))
        log = Path(record.get("log", "") or rules.logs_dir).resolve()
        paths = [file["path"] for file in record["files"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise _in_the_way(f"{final} is there and was not made here.") from None
    if record.get("sheet_sha256") != sha256(_sheet_of(reading).content).hexdigest():
        raise _in_the_way(f"{final} was made with another sample sheet.")
    if record.get("run_listing") != work.seen:
        raise _in_the_way(f"{final} was made before files of the run changed.")
    if not log.is_relative_to(rules.logs_dir.resolve()) or not all(isinstance(path, str) for path in paths):
        raise _in_the_way(f"{final}: what {RECORD} says there was not written by SeqAuto.")
    return record


def _in_the_way(sentence: str) -> StepProblem:
    remedy = "Press Convert again: it makes FASTQs under a new number and overwrites nothing."
    return StepProblem("conflict", sentence, remedy)


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
