"""What goes with a folder, name by name: the text that its certificate keeps, and what it lets go. Pure.

Names stand as in Python's source code, so that each has a line of its own; hashes are those of the copy that
proves a file: of the backup's manifest, or the MD5 of its object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import stat_result
from stat import S_ISREG

from sequencing.copying import Entry
from sequencing.copying.listing import kind_of

_TITLE = "# kind, bytes, time of the last change in ns, hash of its proven copy, name"


def manifest_text(entries: Iterable[Entry], hash_of: Callable[[Entry], str]) -> str:
    """All that lies in a folder; `hash_of` a file is "" where nothing proves it by content."""
    return "".join(f"{line}\n" for line in (_TITLE, *(_line(entry, hash_of(entry)) for entry in entries)))


def _line(entry: Entry, proven: str) -> str:
    path = entry.path.encode("unicode_escape").decode("ascii")
    return f"{entry.kind}\t{entry.size}\t{entry.mtime_ns}\t{proven}\t{path}"


def strange_names(manifest: str, entries: Iterable[Entry]) -> list[str]:
    """Which of these names are not in a manifest, or are something else than there."""
    known = _read(manifest)
    return [one.path for one in entries if known.get(one.path) != _as_known(one.kind, one.size, one.mtime_ns)]


def proven_by(manifest: str) -> Callable[[str, stat_result], bool]:
    """Whether a name is in a manifest, with its kind, size and time: asked right before it is removed."""
    known = _read(manifest)

    def is_proven(inside: str, status: stat_result) -> bool:
        size = status.st_size if S_ISREG(status.st_mode) else 0
        return known.get(inside) == _as_known(kind_of(status.st_mode), size, status.st_mtime_ns)

    return is_proven


_Known = tuple[str, int, int]


def _as_known(kind: str, size: int, mtime_ns: int) -> _Known:
    """A folder's own time moves whenever something in it goes."""
    return (kind, size, 0 if kind == "folder" else mtime_ns)


def _read(manifest: str) -> Mapping[str, _Known]:
    """Kind, size and time by name. Nothing for a text that is no such manifest: it proves nothing."""
    title, *lines = manifest.removesuffix("\n").split("\n")
    if title != _TITLE:
        return {}
    rows = (line.split("\t") for line in lines)
    return {
        path.encode("ascii").decode("unicode_escape"): _as_known(kind, int(size), int(mtime_ns))
        for kind, size, mtime_ns, _hash, path in rows
    }
