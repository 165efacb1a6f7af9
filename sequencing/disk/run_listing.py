"""Lists the files of one run folder. Reads only."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..kinds import FoundFile, choose_metadata, is_pruned, kind_of_file
from .errors import DISK_IS_ILL, ODD_NAME, disk_error, printable
from .metadata import read_metadata


@dataclass(frozen=True, slots=True)
class RunListing:
    """What lies in one run folder.

    `lines` holds, by kind of file, a text of `path <tab> bytes <tab> mtime in ns` lines: full paths, sorted.
    `unreadable` are folders inside the run ("" = the run folder itself) of whose files nothing is known.
    `oddities` are (path inside the run, why it was passed over).
    """

    folder: str
    skipped: str = ""
    lines: dict[str, str] = field(default_factory=dict)
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
    """List the files of one run folder that a scan knows by name (`layout.kind_of_file`).

    Folders of base calls and images are not entered, links to folders are not followed, links to files are
    listed as the file they lead to. `leave_out` names kinds to pass over. A folder that cannot be read is
    reported, not raised; a failing disk raises DiskError.
    """
    lines: dict[str, list[str]] = defaultdict(list)
    unreadable: list[str] = []
    oddities: list[tuple[str, str]] = []
    todo = [""]
    while todo:
        inside = todo.pop()
        try:
            names = _list_folder(folder, inside, lines, todo, oddities, leave_out)
        except OSError as error:
            if error.errno in DISK_IS_ILL:
                raise disk_error(f"{folder}/{inside}", error) from error
            unreadable.append(inside)
            continue
        if not inside and skip_marker and skip_marker in names:
            return RunListing(folder, skipped=f"{skip_marker} in the run folder")
    texts = {kind: "".join(sorted(rows)) for kind, rows in sorted(lines.items())}
    listing = RunListing(folder, "", texts, tuple(sorted(unreadable)), tuple(sorted(oddities)))
    return _with_sheet_hash(listing)


def _list_folder(
    folder: str,
    inside: str,
    lines: dict[str, list[str]],
    todo: list[str],
    oddities: list[tuple[str, str]],
    leave_out: Collection[str],
) -> set[str]:
    """Add one folder's files to `lines` and its folders to `todo`; return the other names.

    The hot loop of every scan. Relative to a directory handle the kernel resolves one name a file, not the
    whole path.
    """
    path = f"{folder}/{inside}" if inside else folder
    within = f"{inside}/" if inside else ""
    others = set()
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not is_pruned(within + name):
                        if name.isprintable():
                            todo.append(within + name)
                        else:
                            oddities.append((printable(within + name), ODD_NAME))
                    continue
                kind = kind_of_file(name)
                if kind is None:
                    others.add(name)
                elif kind in leave_out:
                    continue
                elif not name.isprintable():  # undecodable bytes come as surrogates, which are not printable
                    oddities.append((printable(within + name), ODD_NAME))
                elif (status := _status(entry, within, oddities)) is not None:
                    lines[kind].append(f"{path}/{name}\t{status.st_size}\t{status.st_mtime_ns}\n")
    finally:
        os.close(handle)
    return others


def _status(entry: os.DirEntry[str], within: str, oddities: list[tuple[str, str]]) -> os.stat_result | None:
    try:
        status = entry.stat()
    except FileNotFoundError:
        oddities.append((within + entry.name, "is a link that leads nowhere, or vanished during the scan"))
        return None
    if not stat.S_ISREG(status.st_mode):
        oddities.append((within + entry.name, "is not a file"))
        return None
    return status


def _with_sheet_hash(listing: RunListing) -> RunListing:
    sheet = choose_metadata(listing.found("sample_sheet"))
    if sheet is None:
        return listing
    try:
        digest = hashlib.sha256(read_metadata(Path(listing.folder, sheet.path))).hexdigest()
    except OSError as error:
        digest = f"unreadable: {error.strerror}"
    return replace(listing, sheet_sha256=digest)
