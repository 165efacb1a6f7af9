"""Looks once more before anything counts as gone. Reads only."""

from __future__ import annotations

import os


def is_gone(path: str) -> bool:
    """Whether the disk says that nothing stands at `path`; any other failure to look is no such word."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def empty_folder_above(path: str, root: str) -> str:
    """Return the nearest folder above `path`, the root at most, that is there, if it holds nothing; else "".

    Where a disk is not mounted, its mount point stands there empty; a person who deletes a run leaves others.
    """
    folder = os.path.dirname(path)
    while folder != root and folder.startswith(f"{root.rstrip('/')}/") and is_gone(folder):
        folder = os.path.dirname(folder)
    if folder != root and not folder.startswith(f"{root.rstrip('/')}/"):
        return ""
    try:
        with os.scandir(folder) as entries:
            return "" if any(entries) else folder
    except OSError:
        return ""
