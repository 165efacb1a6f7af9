"""Runs a lab's own find script in place of our walk."""

from __future__ import annotations

import os
import shlex
import subprocess

from .errors import DiskError, disk_error, printable


def run_find_script(command: str, root: str, *, timeout: float = 3600) -> list[tuple[str, int, int]]:
    """Run a lab's own script with the root as its last argument; return (path, bytes, mtime in ns) by line.

    A line is a full path, or `path <tab> bytes <tab> mtime in ns`; without figures the file is looked at.
    Raises DiskError where the script fails or a file of it cannot be looked at, since a list cut short would
    look like deleted files.
    """
    argv = [*shlex.split(command), root]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, errors="surrogateescape")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DiskError(f"find script {argv[0]}: {error}") from error
    if done.returncode:
        raise DiskError(
            f"find script {argv[0]} ended with {done.returncode}: {printable(done.stderr.strip()[-500:])}"
        )
    return [row for line in done.stdout.split("\n") if (row := _script_line(line))]


def _script_line(line: str) -> tuple[str, int, int] | None:
    path, *figures = line.split("\t")
    if len(figures) == 2 and all(figure.isdecimal() for figure in figures):
        return path, int(figures[0]), int(figures[1])
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise disk_error(path, error) from error
    return path, status.st_size, status.st_mtime_ns
