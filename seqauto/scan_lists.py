"""The text files that a scan leaves behind: what it found on disk, and what changed since the scan before.

A folder a scan, `scan_<id>/`:

- `<kind>.tsv`, one a file type and kind of metadata: full path, bytes, mtime in ns; in the order of the runs.
- `runs.jsonl`, one line a run folder: what the walk learned of it, and where its lines stand in those lists.
- `roots.json`: what was learned of each root as a whole.
- `appeared.tsv`, `vanished.tsv`, `changed.tsv`: run folder, path inside it.

All can be read with grep, and a later scan can start from them instead of walking (`--reuse-prev-scan-id`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

from sequencing.disk import RunListing, parse_lines
from sequencing.layout import FILE_TYPES, FoundFile

RUNS = "runs.jsonl"
ROOTS = "roots.json"
CHANGES = ("appeared", "vanished", "changed")


@dataclass(slots=True)
class RootReport:
    """What one root looked like to a scan; `error` says why nothing may be concluded from it."""

    path: str
    device: int = 0
    has_sentinel: bool = False
    error: str = ""
    remedy: str = ""
    without_run: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    oddities: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run folder as the walk left it; its files are read from the lists only when asked for."""

    root: str
    folder: str
    skipped: str
    unreadable: list[str]
    oddities: list[list[str]]
    sheet_sha256: str
    digest: str  # of the lines: paths, sizes, mtimes
    spans: dict[str, list[int]]  # kind -> [first byte, bytes, lines]

    @property
    def file_count(self) -> int:
        """How many files of the recorded types lie there."""
        return sum(lines for kind, (_start, _size, lines) in self.spans.items() if kind in FILE_TYPES)


def folder_of(resources_dir: Path, scan_id: int) -> Path:
    return resources_dir / f"scan_{scan_id}"


def names_and_sizes(folder: Path) -> list[tuple[str, int]]:
    """The files of a scan that people may download."""
    if not folder.is_dir():
        return []
    return sorted((file.name, file.stat().st_size) for file in folder.iterdir() if file.is_file())


def remove_oldest(resources_dir: Path, keep: int, spare: Collection[Path] = ()) -> None:
    """Drop all lists but those of `spare` and the newest, `keep` folders altogether.

    New is what was written last: folders left over from another database may have higher numbers.
    """
    folders = [path for path in resources_dir.glob("scan_*") if path.name[5:].isdecimal()]
    folders.sort(key=lambda path: (path in spare, path.stat().st_mtime_ns), reverse=True)
    for folder in folders[max(keep, len(spare), 1) :]:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_folder(folder: Path) -> Path:
    """Make a scan's folder, empty: another database may have left lists of a scan of that number."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


class ListWriter:
    """Writes what a walk finds, run after run; nothing is kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = fresh_folder(folder)
        self._files: dict[str, BinaryIO] = {}
        self._stack = ExitStack()
        self._index: TextIO = self._stack.enter_context((folder / RUNS).open("w", encoding="utf-8"))

    def __enter__(self) -> ListWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def add(self, root: str, listing: RunListing) -> int:
        """Append one run; return how many files were listed."""
        digest, spans = hashlib.blake2b(digest_size=16), {}
        for kind, text in listing.lines.items():
            data = text.encode()
            digest.update(data)
            spans[kind] = [self._append(kind, data), len(data), data.count(b"\n")]
        entry = RunEntry(
            root,
            listing.folder,
            listing.skipped,
            list(listing.unreadable),
            [list(oddity) for oddity in listing.oddities],
            listing.sheet_sha256,
            digest.hexdigest(),
            spans,
        )
        values = {name: getattr(entry, name) for name in RunEntry.__slots__}  # asdict copies deeply: slow
        self._index.write(json.dumps(values, ensure_ascii=True) + "\n")
        return sum(lines for _start, _size, lines in spans.values())

    def _append(self, kind: str, data: bytes) -> int:
        if kind not in self._files:
            self._files[kind] = self._stack.enter_context((self.folder / f"{kind}.tsv").open("wb"))
        start = self._files[kind].tell()
        self._files[kind].write(data)
        return start

    def write_roots(self, reports: Iterable[RootReport]) -> None:
        rows = [asdict(report) for report in reports]
        (self.folder / ROOTS).write_text(json.dumps(rows, indent=1), encoding="utf-8")


class ListReader:
    """Reads the lists of one scan. Raises FileNotFoundError where it has none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roots = [RootReport(**row) for row in json.loads((folder / ROOTS).read_text(encoding="utf-8"))]

    def runs(self) -> Iterator[RunEntry]:
        with (self.folder / RUNS).open(encoding="utf-8") as lines:
            for line in lines:
                yield RunEntry(**json.loads(line))

    def files(self, entry: RunEntry, kind: str) -> list[FoundFile]:
        """The files of one kind of a run, with paths inside its folder."""
        if kind not in entry.spans:
            return []
        start, size, _lines = entry.spans[kind]
        with (self.folder / f"{kind}.tsv").open("rb") as stream:
            stream.seek(start)
            return parse_lines(stream.read(size).decode(), entry.folder)


class ChangeWriter:
    """Writes which files appeared, vanished and changed, and counts them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.counts = dict.fromkeys(CHANGES, 0)
        self._stack = ExitStack()
        self._files = {
            change: self._stack.enter_context((folder / f"{change}.tsv").open("w", encoding="utf-8"))
            for change in CHANGES
        }

    def __enter__(self) -> ChangeWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def add(self, run_folder: str, **paths: Iterable[str]) -> None:
        """Note the changes of one run: `add(folder, appeared=[...], vanished=[...])`."""
        for change, changed in paths.items():
            lines = [f"{run_folder}\t{path}\n" for path in changed]
            self._files[change].writelines(lines)
            self.counts[change] += len(lines)


def read_changes(folder: Path, change: str, start: int, stop: int) -> list[tuple[str, str]]:
    """Rows `start` to `stop` of one change list, as (run folder, path inside it); read no further."""
    rows: list[tuple[str, str]] = []
    try:
        with (folder / f"{change}.tsv").open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number >= stop:
                    break
                if number >= start:
                    run_folder, _tab, path = line.rstrip("\n").partition("\t")
                    rows.append((run_folder, path))
    except FileNotFoundError:
        pass
    return rows
