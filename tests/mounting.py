"""Mounts for tests: file systems that last as long as a test, and none that outlives it."""

import re
import subprocess
from pathlib import Path

import pytest


def mount(folder: Path, *arguments: str | Path) -> Path:
    """Mount at a folder, which is made where nothing is; skips the test where that is not allowed."""
    if not folder.exists():
        folder.mkdir()
    done = subprocess.run(["mount", *arguments, folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    return folder


def mount_small(folder: Path, size: str) -> Path:
    """A disk of its own with room for `size` ("1m")."""
    return mount(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")


def mounts_below(folder: Path) -> list[Path]:
    """The mounts at a folder and below it, the last one first, wherever they were moved since: proc(5)."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), line.split(" ")[4]) for line in lines]
    return [path for path in map(Path, reversed(places)) if path == folder or folder in path.parents]


def unmount_below(folder: Path) -> None:
    for place in mounts_below(folder):
        subprocess.run(["umount", "--lazy", place], check=True)
