"""The story of a conversion: one run, one sheet, one converter, and a folder of FASTQs that is ours alone.

The run folder is only read. Killed at any moment it leaves an output folder that the next try empties; the
caller judges the FASTQs and gives the folder its final name.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sequencing.illumina.errors import shown
from sequencing.illumina.sample_sheet import SampleSheet, parse_sample_sheet

from . import bcl2fastq, bcl_convert, picard
from .base_calls import lanes_on_disk, refuse_what_picard_cannot_read
from .job import Conversion, ConversionJob, Converter, Plan
from .output_folder import SHEET_COPY, output_folder, publish, sync, work_folder, write_record
from .problems import ConversionProblem
from .reports import read_figures
from .running import Limits, Watch, fullest_disk, no_space, run

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
    job = replace(
        job,
        run_folder=job.run_folder.absolute(),
        output=job.output.absolute(),
        sheet_file=job.sheet_file.absolute(),
    )
    try:
        return _convert(converter, job, logs, limits or Limits(), progress, stop)
    except OSError as error:
        raise _disk_problem(error, job, logs) from error


def _disk_problem(error: OSError, job: ConversionJob, logs: Path) -> ConversionProblem:
    what = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_space(what, *fullest_disk(job.output, logs))
    sentence = f"{error.filename or job.output}: {what}."
    return ConversionProblem("disk_error", sentence, "Check that the disk answers, then retry.")


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
    plan = _plan(converter, job, lanes)
    logs.mkdir(parents=True, exist_ok=True)
    with output_folder(job.output) as lock:
        write_record(converter, plan, job.output)
        (job.output / SHEET_COPY).write_bytes(sheet)
        with work_folder(job, plan) as work:
            for done, step in enumerate(plan.steps):
                share = done / len(plan.steps) if len(plan.steps) > 1 else None
                tell = partial(progress, share)
                watch = Watch(limits, started + limits.seconds, job.output, tell, stop, lock)
                log = logs / f"{step.name}.log"
                run(step.argv, watch, cwd=work, log=log, environment=plan.environment)
            if _read_sheet(job) != sheet:
                raise _sheet_changed(job)
            figures = read_figures(converter, job, lanes, work)
            publish(plan, work, job.output)
        files = sync(job.output)
    commands = tuple(step.argv for step in plan.steps)
    return Conversion(converter, commands, time.monotonic() - started, figures, files)


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
            names = dict.fromkeys(filter(None, (row.sample_id, row.sample_name, row.project)))
            return f'row {row.row}: no file can be called after "{shown(", ".join(names))}"'
    return "" if sheet.is_usable else f"{sheet.errors[0]}".rstrip(".")


def _sheet_changed(job: ConversionJob) -> ConversionProblem:
    sentence = f"{job.sheet_file} was changed after it was checked; nothing was published."
    return ConversionProblem("sheet_changed", sentence, "Check the sheet again, then retry.")


def _plan_picard_lanes(job: ConversionJob) -> list[picard.LanePlan]:
    lanes = picard.sheet_lanes(job.sheet) or lanes_on_disk(job.run_folder)
    plans, problems = picard.plan_lanes(job.sheet, job.run_info, lanes)
    if problems:
        sentence, remedy = str(problems[0]).removesuffix(problems[0].remedy).strip(), problems[0].remedy
        raise ConversionProblem("cannot_convert", sentence, remedy)
    if not plans:
        remedy = "Check that the run was copied whole."
        raise ConversionProblem("cannot_convert", f"{job.run_folder} has no base calls.", remedy)
    refuse_what_picard_cannot_read(job.run_folder, lanes)
    return plans


def _plan(converter: Converter, job: ConversionJob, lanes: Sequence[picard.LanePlan]) -> Plan:
    sheet_copy = str(job.output / SHEET_COPY)
    if converter.name == "picard":
        return picard.plan(converter, job, lanes)
    if converter.name == "bcl2fastq":
        return bcl2fastq.plan(converter, job, sheet_copy)
    return bcl_convert.plan(converter, job, sheet_copy)
