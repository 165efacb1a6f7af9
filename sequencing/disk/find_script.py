"""Runs a lab's own find script in place of our walk."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator

from .errors import DiskError, printable


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
