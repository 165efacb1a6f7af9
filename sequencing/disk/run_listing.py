"""Lists the files of one run folder. Reads only."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from ..kinds import FoundFile, choose_metadata, is_pruned, kind_of_file
from .errors import (
    DISK_IS_ILL,
    IS_A_LINK,
    LEADS_NOWHERE,
    LONGEST_PATH,
    ODD_NAME,
    TOO_LONG,
    StaleError,
    disk_error,
    printable,
)
from .metadata import read_metadata

_LONGEST_NAME = 255  # bytes, on any file system
_LATEST_NS = (1 << 63) - 1  # the year 2262; databases hold no later one


class RunListing(NamedTuple):
    """What lies in one run folder.

    `lines` holds, by kind of file, a text of `path <tab> bytes <tab> mtime in ns` lines: full paths, sorted.
    `unreadable` are places inside the run of whose files nothing is known: folders that could not be read
    ("" = the run folder itself), links that are not followed, and names that no list can hold.
    `oddities` are (path inside the run, why it was passed over).
    """

    folder: str
    lines: dict[str, str]
    skipped: str = ""
    unreadable: tuple[str, ...] = ()
    oddities: tuple[tuple[str, str], ...] = ()
    sheet_sha256: str = ""

    def found(self, kind: str) -> list[FoundFile]:
        return parse_lines(self.lines.get(kind, ""), self.folder)

    @property
    def files(self) -> dict[str, list[FoundFile]]:
        return {kind: self.found(kind) for kind in self.lines}


def parse_lines(text: str, folder: str) -> list[FoundFile]:
    """Turn lines of a list back into files, with paths inside `folder`."""
    start = len(folder) + 1
    rows = (line.split("\t") for line in text.splitlines())
    return [FoundFile(path[start:], int(size), int(mtime)) for path, size, mtime in rows]


def walk_run(folder: str, *, skip_marker: str = "", leave_out: Collection[str] = ()) -> RunListing:
    """List the files of one run folder that a scan knows by name (`kinds.kind_of_file`).

    Folders of base calls and images are not entered, links to folders are not followed, links to files are
    listed as the file they lead to. `leave_out` names kinds to pass over. A folder that cannot be read is
    reported, not raised; a failing disk raises DiskError.
    """
    try:
        return _walk_once(folder, skip_marker, leave_out)
    except StaleError:
        return _walk_once(folder, skip_marker, leave_out)


def _walk_once(folder: str, skip_marker: str, leave_out: Collection[str]) -> RunListing:
    walk = _Walk(folder, leave_out)
    while walk.todo:
        inside = walk.todo.pop()
        try:
            other_names = walk.list_folder(inside)
        except OSError as error:
            if error.errno in DISK_IS_ILL:
                raise disk_error(f"{folder}/{inside}", error) from error
            walk.unreadable.append(inside)
            continue
        if not inside and skip_marker in other_names:
            return RunListing(folder, {}, f"{skip_marker} in the run folder")
    return _with_sheet_hash(walk.listing())


class _Walk:
    """The walk through one run folder: what is still to be listed, and what was found so far."""

    def __init__(self, folder: str, leave_out: Collection[str]) -> None:
        self.folder, self.leave_out = folder, leave_out
        self.todo = [""]
        self.lines: dict[str, list[str]] = defaultdict(list)
        self.unreadable: list[str] = []
        self.oddities: list[tuple[str, str]] = []

    def listing(self) -> RunListing:
        texts = {kind: "".join(sorted(rows)) for kind, rows in sorted(self.lines.items())}
        return RunListing(
            self.folder, texts, "", tuple(sorted(self.unreadable)), tuple(sorted(self.oddities))
        )

    def list_folder(self, inside: str) -> set[str]:
        """List one folder's files, note its folders, and return the names that scans do not know.

        The hot loop of every scan: a call saved here is a tenth of the walk. Relative to a directory handle
        the kernel resolves one name a file, not the whole path.
        """
        within = f"{inside}/" if inside else ""
        prefix = f"{self.folder}/{within}"
        may_be_too_long = len(within) > LONGEST_PATH - _LONGEST_NAME
        lines, leave_out = self.lines, self.leave_out
        other_names = set()
        handle = os.open(prefix, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    name = entry.name
                    if not (entry.is_file(follow_symlinks=False) or _leads_to_file(entry)):
                        self._note_other(entry, within + name)
                    elif (kind := kind_of_file(name)) is None:
                        other_names.add(name)
                    elif not name.isprintable():  # bytes that are no text come as surrogates: not printable
                        self._pass_over(within + name, ODD_NAME)
                    elif may_be_too_long and len(within + name) > LONGEST_PATH:
                        self.oddities.append((within + name, TOO_LONG))
                    elif kind not in leave_out:
                        status = entry.stat()
                        mtime_ns = status.st_mtime_ns
                        if mtime_ns > _LATEST_NS:
                            mtime_ns = _LATEST_NS
                        lines[kind].append(f"{prefix}{name}\t{status.st_size}\t{mtime_ns}\n")
        finally:
            os.close(handle)
        return other_names

    def _note_other(self, entry: os.DirEntry[str], path: str) -> None:
        """Put a folder on the list of those to do; say of anything else why it is passed over."""
        kind = kind_of_file(entry.name)
        if entry.is_dir(follow_symlinks=False):
            if not is_pruned(path):
                self._note_folder(path)
        elif not entry.is_symlink():
            if kind:
                self.oddities.append((printable(path), "is not a file"))
        elif kind or not (is_pruned(path) or entry.name.startswith(".")):  # ".#x": an editor's lock
            is_folder = os.path.isdir(f"{self.folder}/{path}")
            self._pass_over(path, IS_A_LINK if is_folder else LEADS_NOWHERE)

    def _note_folder(self, path: str) -> None:
        if len(path) > LONGEST_PATH:
            self.oddities.append((printable(path), TOO_LONG))
        elif path.isprintable():
            self.todo.append(path)
        else:
            self._pass_over(path, ODD_NAME)

    def _pass_over(self, path: str, why: str) -> None:
        """Tell of a place of whose files nothing is known then."""
        self.oddities.append((printable(path), why))
        self.unreadable.append(printable(path))


def _leads_to_file(entry: os.DirEntry[str]) -> bool:
    """Whether a link leads to a file; False for one that leads nowhere or in a circle."""
    try:
        return entry.is_file()
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        return False


def _with_sheet_hash(listing: RunListing) -> RunListing:
    sheet = choose_metadata(listing.found("sample_sheet"))
    if sheet is None:
        return listing
    try:
        digest = hashlib.sha256(read_metadata(f"{listing.folder}/{sheet.path}")).hexdigest()
    except OSError as error:
        digest = f"unreadable: {error.strerror}"
    return listing._replace(sheet_sha256=digest)
