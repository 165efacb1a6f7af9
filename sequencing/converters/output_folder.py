"""The folder that a conversion fills: ours alone while it runs, emptied when a try is repeated."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sequencing.layout import kind_of_file

from .job import ConversionJob, Converter, Plan
from .problems import ConversionProblem

RECORD = "converter.json"  # says how the FASTQs were made, and that the folder is ours
SHEET_COPY = "SampleSheet.csv"
_WORK = "_work"  # no Sample_ID or project starts so
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})  # on some network disks


@contextmanager
def output_folder(output: Path) -> Iterator[int]:
    """Make the output folder, or empty the one that an earlier try left, and keep others from it meanwhile.

    Yields the open file that holds the lock: whoever inherits it keeps the folder locked.
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise _not_ours(output)
    if output.is_dir() and any(output.iterdir()) and not (output / RECORD).is_file():
        raise _not_ours(output)
    output.mkdir(parents=True, exist_ok=True)
    with (output / RECORD).open("ab") as record:
        _lock(record.fileno(), output)
        # The record stays, so that a folder half emptied is still known as ours.
        for path in output.iterdir():
            if path.name != RECORD:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        yield record.fileno()


def _lock(handle: int, output: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sentence = f"Another process is converting into {output}."
        raise ConversionProblem("busy", sentence, "Wait for its end, or retry in a minute.") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _not_ours(output: Path) -> ConversionProblem:
    sentence = f"{output} was not made by a conversion, so it was left as it is."
    return ConversionProblem("output_not_ours", sentence, "Move it elsewhere, then retry.")


def write_record(converter: Converter, plan: Plan, output: Path) -> None:
    commands = [step.argv for step in plan.steps]
    record = {"converter": converter.name, "version": converter.version, "commands": commands}
    (output / RECORD).write_text(json.dumps(record, indent=2) + "\n")


@contextmanager
def work_folder(job: ConversionJob, plan: Plan) -> Iterator[Path]:
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


def publish(plan: Plan, work: Path, output: Path) -> None:
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


def sync(output: Path) -> tuple[tuple[str, int], ...]:
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
