"""The story of a conversion: one run, one sheet, one converter, and a folder of FASTQs that is ours alone.

The run folder is only read. Killed at any moment it leaves an output folder that the next try empties; the
caller judges the FASTQs and gives the folder its final name.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sequencing.illumina.errors import shown
from sequencing.illumina.sample_sheet import SampleSheet, parse_sample_sheet
from sequencing.layout import kind_of_file

from . import bcl2fastq, bcl_convert, picard
from .base_calls import lanes_on_disk, refuse_what_picard_cannot_read
from .job import Conversion, ConversionJob, Converter, Plan
from .problems import ConversionProblem
from .reports import read_figures
from .running import Limits, Watch, run

RECORD = "converter.json"  # says how the FASTQs were made, and that the folder is ours
SHEET_COPY = "SampleSheet.csv"
_WORK = "_work"  # no Sample_ID or project starts so

Progress = Callable[[float | None, int], None]


def convert(
    converter: Converter,
    job: ConversionJob,
    *,
    logs: Path,
    limits: Limits | None = None,
    progress: Progress = lambda _fraction, _size: None,
    stop: Callable[[], bool] = lambda: False,
) -> Conversion:
    """Convert a run into `job.output`; raise ConversionProblem where that does not succeed.

    `progress` gets the share that is done (None where it cannot be known) and the bytes written; `stop` is
    asked every few seconds. Each program's log lies in `logs`.
    """
    try:
        return _convert(converter, job, logs, limits or Limits(), progress, stop)
    except OSError as error:
        sentence = f"{error.filename or job.output}: {error.strerror or error}."
        remedy = "Check that the disk answers and has room, then retry."
        raise ConversionProblem("disk_error", sentence, remedy) from error


def _convert(
    converter: Converter,
    job: ConversionJob,
    logs: Path,
    limits: Limits,
    progress: Progress,
    stop: Callable[[], bool],
) -> Conversion:
    started = time.monotonic()
    sheet = _read_sheet(job)
    lanes = _plan_picard_lanes(job) if converter.name == "picard" else []
    plan = _plan(converter, job, lanes, job.output / SHEET_COPY)
    logs.mkdir(parents=True, exist_ok=True)
    _make_room(job.output)
    _write_record(converter, plan, job.output)
    (job.output / SHEET_COPY).write_bytes(sheet)
    with _work_folder(job, plan) as work:
        for done, step in enumerate(plan.steps):
            share = done / len(plan.steps) if len(plan.steps) > 1 else None
            watch = Watch(limits, started + limits.seconds, job.output, _share(progress, share), stop)
            log = logs / f"{step.name}.log"
            run(step.argv, watch, cwd=work, log=log, environment=plan.environment)
        if _read_sheet(job) != sheet:
            raise _sheet_changed(job)
        figures = read_figures(converter, job, lanes, work)
        _publish(plan, work, job.output)
    files = _sync(job.output)
    commands = tuple(step.argv for step in plan.steps)
    return Conversion(converter, commands, time.monotonic() - started, figures, files)


def _share(progress: Progress, share: float | None) -> Callable[[int], None]:
    return lambda size: progress(share, size)


# ---- What is asked for --------------------------------------------------------------------------------


def _read_sheet(job: ConversionJob) -> bytes:
    """Return the bytes of the sheet, which must still say what was checked, in names that are safe."""
    try:
        content = job.sheet_file.read_bytes()
    except FileNotFoundError:
        raise _sheet_changed(job) from None
    if parse_sample_sheet(content) != job.sheet:
        raise _sheet_changed(job)
    if reason := _reason_unsafe(job.sheet):
        raise ConversionProblem("unsafe_sheet", f"{job.sheet_file}, {reason}.", "Correct the sample sheet.")
    return content


def _reason_unsafe(sheet: SampleSheet) -> str:
    """Why a sheet must not be converted, whatever anybody decides: its names become paths."""
    for sample in sheet.samples:
        if not sample.is_safe:
            row = sample.rows[0]
            names = shown(
                ", ".join(dict.fromkeys(filter(None, (row.sample_id, row.sample_name, row.project))))
            )
            return f'row {row.row}: no file can be called after "{names}"'
    return "" if sheet.is_usable else f"{sheet.errors[0]}".rstrip(".")


def _sheet_changed(job: ConversionJob) -> ConversionProblem:
    sentence = f"{job.sheet_file} was changed after it was checked; nothing was published."
    return ConversionProblem("sheet_changed", sentence, "Check the sheet again, then retry.")


def _plan_picard_lanes(job: ConversionJob) -> list[picard.LanePlan]:
    lanes = picard.sheet_lanes(job.sheet) or lanes_on_disk(job.run_folder)
    plans, problems = picard.plan_lanes(job.sheet, job.run_info, lanes)
    if problems or not plans:
        sentence = str(problems[0]) if problems else f"{job.run_folder} has no base calls."
        raise ConversionProblem("cannot_convert", sentence, picard.USE_BCL_CONVERT)
    refuse_what_picard_cannot_read(job.run_folder, lanes)
    return plans


def _plan(
    converter: Converter, job: ConversionJob, lanes: Sequence[picard.LanePlan], sheet_copy: Path
) -> Plan:
    if converter.name == "picard":
        return picard.plan(converter, job, lanes)
    if converter.name == "bcl2fastq":
        return bcl2fastq.plan(converter, job, str(sheet_copy))
    return bcl_convert.plan(converter, job, str(sheet_copy))


# ---- Folders and files --------------------------------------------------------------------------------


def _make_room(output: Path) -> None:
    """Make the output folder, or empty one that an earlier try left."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise _not_ours(output)
    if output.is_dir() and any(output.iterdir()):
        if not (output / RECORD).is_file():
            raise _not_ours(output)
        # The record goes last, so that a folder half emptied is still known as ours.
        for path in output.iterdir():
            if path.name != RECORD:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    output.mkdir(parents=True, exist_ok=True)


def _not_ours(output: Path) -> ConversionProblem:
    sentence = f"{output} was not made by a conversion, so it was left as it is."
    return ConversionProblem("output_not_ours", sentence, "Move it elsewhere, then retry.")


def _write_record(converter: Converter, plan: Plan, output: Path) -> None:
    commands = [step.argv for step in plan.steps]
    record = {"converter": converter.name, "version": converter.version, "commands": commands}
    (output / RECORD).write_text(json.dumps(record, indent=2) + "\n")


@contextmanager
def _work_folder(job: ConversionJob, plan: Plan) -> Iterator[Path]:
    """Where programs run, and leave what is not published; `run` there leads to the run folder."""
    work = job.output / _WORK
    work.mkdir()
    try:
        (work / "run").symlink_to(job.run_folder.absolute(), target_is_directory=True)
        (work / "tmp").mkdir()
        for path in (*plan.texts, *(source for source, _target in plan.publish)):
            (work / path).parent.mkdir(exist_ok=True)
        for path, text in plan.texts.items():
            (work / path).parent.joinpath("found").mkdir(exist_ok=True)
            (work / path).write_text(text)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(plan: Plan, work: Path, output: Path) -> None:
    """Give files their names. Those of one name are joined: gzip streams one after the other are one."""
    placed = set()
    for source, name in plan.publish:
        target = output / name
        target.parent.mkdir(exist_ok=True)
        if name not in placed:
            os.replace(work / source, target)
        else:
            with (work / source).open("rb") as more, target.open("ab") as all_of_it:
                shutil.copyfileobj(more, all_of_it, 1 << 20)
        placed.add(name)


def _sync(output: Path) -> tuple[tuple[str, int], ...]:
    """Bring all that was written to the disk; return the FASTQs (path, bytes)."""
    files = []
    for parent, _folders, names in os.walk(output):
        for name in names:
            path = os.path.join(parent, name)
            size = _sync_one(path)
            if kind_of_file(name) == "fastq":
                files.append((os.path.relpath(path, output), size))
        with contextlib.suppress(OSError):  # some network disks cannot sync a folder
            _sync_one(parent)
    return tuple(sorted(files))


def _sync_one(path: str) -> int:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)
