"""Runs a lab's own find script in place of our walk."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator

from .errors import DiskError, disk_error, printable

ScriptRow = tuple[str, int, int]
"""Path, bytes, mtime in ns; `NO_FIGURE` for a figure that no list can hold."""

NO_FIGURE = 1 << 63
_FIGURE = re.compile(r"-?[0-9]{1,19}").fullmatch


def run_find_script(command: str, root: str, *, timeout: float = 3600) -> list[str]:
    """Run a lab's own script with the root as its last argument; return the lines that it prints.

    Raises DiskError where the script fails or takes longer than `timeout` seconds, since a list cut short
    would look like deleted files. Nothing that the script started is left behind then.
    """
    argv = [*shlex.split(command), root]
    name = f"find script {printable(argv[0])}"
    try:
        with _own_group(argv) as process:
            output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise DiskError(f"{name} timed out after {timeout:g} seconds") from error
    except OSError as error:
        raise DiskError(f"{name}: {error.strerror}") from error
    if process.returncode:
        raise DiskError(f"{name} ended with {process.returncode}: {printable(errors.strip()[-500:])}")
    if "\0" in output:
        raise DiskError(f"{name} prints NUL between its paths: let it print one path a line, without -print0")
    return [line for line in output.split("\n") if line]


@contextlib.contextmanager
def _own_group(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process, killed with all that it started unless it ends by itself."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
    )
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # One that hangs in the kernel on a dead disk ends when the disk answers.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def look_at_lines(lines: Iterable[str], *, alive: Callable[[], None] = lambda: None) -> Iterator[ScriptRow]:
    """Read a script's lines: a full path, or `path <tab> bytes <tab> mtime in ns`.

    Without figures the file is looked at, and left out where it is gone; DiskError where it cannot be looked
    at. `alive` is called at each line.
    """
    for line in lines:
        alive()
        path, *figures = line.split("\t")
        if len(figures) == 2:
            yield path, _figure(figures[0]), _figure(figures[1])
            continue
        try:
            status = os.stat(line)
        except (FileNotFoundError, NotADirectoryError):
            if figures:  # but not two of them
                yield path, NO_FIGURE, NO_FIGURE
            continue
        except OSError as error:
            raise disk_error(line, error) from error
        yield line, status.st_size, status.st_mtime_ns


def _figure(text: str) -> int:
    return min(int(text), NO_FIGURE) if _FIGURE(text) else NO_FIGURE
