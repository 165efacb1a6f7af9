"""The manifest of a copy: what lies in it, with the hash of every file. Text in, values out, and back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import xxhash

from .listing import Entry, Kind
from .problems import damaged, shown_path


class Hasher(Protocol):
    def update(self, data: memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


ALGORITHMS: dict[str, Callable[[], Hasher]] = {"xxh3_128": xxhash.xxh3_128, "sha256": hashlib.sha256}
_TITLE = "# SeqAuto manifest 1"
_COLUMNS = "kind\tmode\tsize\tmtime_ns\thash\tpath\ttarget"
_END = "# end"
_KINDS: dict[str, Kind] = {"file": "file", "folder": "folder", "link": "link"}
_HASH = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")
_REMEDY = "Find an unharmed copy of the manifest, or make the backup anew beside this one."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy holds: files with their hashes, links with their targets, folders."""

    algorithm: str
    entries: tuple[Entry, ...]

    @property
    def files(self) -> int:
        return sum(entry.kind == "file" for entry in self.entries)

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.entries)


# ---- comparing ----


def differences(manifest: Manifest, found: Iterable[Entry]) -> tuple[str, ...]:
    """Say where what was found differs from the manifest: names, kinds, sizes, targets, hashes. () = equal.

    A manifest without files, and a file without a hash on either side, is never equal to anything.
    """
    expected = {entry.path: entry for entry in manifest.entries}
    there = {entry.path: entry for entry in found}
    nothing = () if manifest.files else ("the manifest names no file",)
    return nothing + tuple(
        f"{shown_path(path)} {why}"
        for path in sorted(expected.keys() | there.keys())
        if (why := _difference(expected.get(path), there.get(path)))
    )


def _difference(expected: Entry | None, found: Entry | None) -> str:
    if found is None:
        return "is missing"
    if expected is None:
        return "is not in the manifest"
    if found.kind != expected.kind:
        return f"is a {found.kind} and not a {expected.kind}"
    if found.size != expected.size:
        return f"has {found.size:,} bytes and not {expected.size:,}"
    if found.target != expected.target:
        return f"leads to {shown_path(found.target)} and not to {shown_path(expected.target)}"
    if found.kind == "file" and not (found.hash and expected.hash):
        return "has no hash to compare"
    return "has another content" if found.hash != expected.hash else ""


# ---- text ----


def manifest_text(manifest: Manifest) -> Iterator[bytes]:
    """The manifest line by line: a title, a row an entry, and an end with a digest of all above it.

    ASCII only: other characters, tabs, line breaks and backslashes of names stand as in Python's source code
    (`unicode_escape`).
    """
    digest = hashlib.sha256()
    for line in _body(manifest):
        digest.update(line)
        yield line
    yield f"{_END}\t{len(manifest.entries)}\t{digest.hexdigest()}\n".encode("ascii")


def _body(manifest: Manifest) -> Iterator[bytes]:
    yield f"{_TITLE}\t{manifest.algorithm}\n{_COLUMNS}\n".encode("ascii")
    for entry in manifest.entries:
        path, target = (text.encode("unicode_escape") for text in (entry.path, entry.target))
        facts = f"{entry.kind}\t{entry.mode:03o}\t{entry.size}\t{entry.mtime_ns}\t{entry.hash}\t"
        yield b"%b%b\t%b\n" % (facts.encode("ascii"), path, target)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises CopyProblem where it is missing, cut off, changed, or lacks a hash."""
    try:
        return _parse(path.read_bytes())
    except OSError as error:
        raise damaged(path, f"could not be read: {error.strerror}", _REMEDY) from error
    except ValueError as error:
        raise damaged(path, str(error), _REMEDY) from error


def _parse(data: bytes) -> Manifest:
    body, _end, rest = data.rpartition(f"{_END}\t".encode("ascii"))
    if not rest.endswith(b"\n"):
        raise ValueError("is cut off")
    title, columns, *rows = body.decode("ascii").splitlines()
    start, _tab, algorithm = title.partition("\t")
    if (start, columns) != (_TITLE, _COLUMNS) or algorithm not in ALGORITHMS:
        raise ValueError("is not a manifest that this version can read")
    if rest.decode("ascii") != f"{len(rows)}\t{hashlib.sha256(body).hexdigest()}\n":
        raise ValueError("does not have the digest that its last line names: it was cut or changed")
    return Manifest(algorithm, tuple(map(_entry, rows)))


def _entry(row: str) -> Entry:
    kind, mode, size, mtime_ns, hash_, path, target = row.split("\t")
    path, target = (text.encode("ascii").decode("unicode_escape") for text in (path, target))
    if kind not in _KINDS or not _is_inside(path) or (kind == "file") != bool(_HASH.fullmatch(hash_)):
        raise ValueError(f"has a row that cannot be right: {row}")
    return Entry(path, _KINDS[kind], int(size), int(mtime_ns), int(mode, 8), target, hash_)


def _is_inside(path: str) -> bool:
    return (
        "\0" not in path
        and path == str(PurePosixPath(path))
        and not {"", "/", ".", ".."} & {*path.split("/")}
    )
