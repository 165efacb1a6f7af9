"""Reads what a lab's own find script printed. Reads only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator

from .errors import disk_error

ScriptRow = tuple[str, int, int]
"""Path, bytes, mtime in ns; `NO_FIGURE` for a figure that no list can hold."""

NO_FIGURE = 1 << 63
_FIGURE = re.compile(r"-?[0-9]{1,19}").fullmatch


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
