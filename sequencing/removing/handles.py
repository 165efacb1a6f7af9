"""Handles of folders, reached without following a link and never on another disk; and what is mounted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .problems import mounted, other_disk, shown_path, touching

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_OCTAL = re.compile(rb"\\([0-7]{3})")


class Disk(NamedTuple):
    """What a folder lies on. Two mounts of one device differ: what is mounted in a run is not the run's."""

    device: int
    mount: int


def disk_of(handle: int) -> Disk:
    """The device and mount of an open folder, which nobody can exchange; see proc_pid_fdinfo(5)."""
    path = Path(f"/proc/self/fdinfo/{handle}")
    with touching(path, "read"):
        text = path.read_text()
    facts = {name: value for name, _colon, value in (line.partition(":") for line in text.splitlines())}
    return Disk(os.fstat(handle).st_dev, int(facts["mnt_id"]))


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A handle of a root. It alone may be reached through links: an administrator named it."""
    with touching(folder, "opened"):
        handle = os.open(folder, OPEN_FOLDER & ~os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def reached(above: int, names: Iterable[str], where: Path) -> Iterator[int]:
    """A handle of a folder below another, which is `where`; no step leads through a link or a mount."""
    disk, handle = disk_of(above), os.dup(above)
    try:
        for name in names:
            where /= name
            with touching(where, "opened"):
                deeper = os.open(name, OPEN_FOLDER, dir_fd=handle)
            os.close(handle)
            handle = deeper
            if disk_of(handle) != disk:
                raise other_disk(where)
        yield handle
    finally:
        os.close(handle)


def refuse_mounts(folder: Path) -> None:
    """Raise RemoveProblem where something is mounted at the folder or in it; see proc_pid_mountinfo(5)."""
    real = os.fsencode(os.path.realpath(folder))
    with touching(Path("/proc/self/mountinfo"), "read"):
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    for point in (_OCTAL.sub(_byte, line.split(b" ")[4]) for line in lines):
        if point == real or point.startswith(real + b"/"):
            raise mounted(f"Something is mounted at {shown_path(os.fsdecode(point))}.")


def _byte(octal: re.Match[bytes]) -> bytes:
    return bytes([int(octal[1], 8)])
