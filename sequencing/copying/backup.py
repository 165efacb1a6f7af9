"""The story of a verified copy: list, copy and hash, read back, list again, and only then the final name."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .files import THREADS, Work, copy_files, hash_files
from .listing import Entry, Listing, list_folder
from .manifest import Manifest, differences, read_manifest
from .places import (
    RESERVE_BYTES,
    check_space,
    claimed,
    finish_folders,
    make_folders_and_links,
    manifest_path,
    partial_folder,
    publish,
    refuse_inside_one_another,
    space_needed,
    write_manifest,
)
from .problems import CopyProblem, conflict, damaged, listed, shown_path, source_changed, unsafe

DEFAULT_ALGORITHM = "xxh3_128"
Progress = Callable[[int, int], None]
Stop = Callable[[], bool]
Entries = tuple[Entry, ...]
_CHECK_THE_DISK = "Check the disk that it was written to, then retry."
_KEEP_THE_SOURCE = "Keep the source, move this copy elsewhere, then retry."


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was proven: read back from its disk, it has the hashes of its source.

    `digest` is that of the source's listing. `remarks` tell of what was copied faithfully and may astonish:
    links that lead out of the folder, names that are no plain text. `read_back_at` is when the reading began,
    and `stamp` that of the copy's listing then: a copy of another stamp was written since, and is not proven.
    """

    folder: Path
    manifest: Manifest
    digest: str
    already_there: bool
    remarks: tuple[str, ...]
    read_back_at: datetime
    stamp: str


def copy_verified(
    source: Path,
    destination: Path,
    *,
    algorithm: str = DEFAULT_ALGORITHM,
    threads: int = THREADS,
    reserve: int = RESERVE_BYTES,
    progress: Progress = lambda done, total: None,
    stop: Stop = lambda: False,
) -> Backup:
    """Copy a folder, prove the copy, and write its manifest beside it (`manifest_path`).

    `destination` does not exist, or is nothing but a finished hash-correct copy, at every moment; its parent
    folder must be there. Where it is there already with the same content, this is recognised, by reading both
    again. `reserve` bytes stay free on the disk. Each byte is read twice, and counts twice in `progress`
    (bytes done, bytes in all), which is called in the caller's thread, as `stop` is. Raises CopyProblem, and
    leaves nothing of this try then.
    """
    refuse_inside_one_another(source, destination)
    with claimed(destination):
        listing = _list_source(source)
        work = Work(algorithm, threads, 2 * listing.bytes, progress, stop)
        if os.path.lexists(destination):
            manifest = _recognise(source, listing, destination, work)
            return _backup(destination, manifest, listing, work, already_there=True)
        with partial_folder(destination) as partial:
            check_space(destination, space_needed(len(listing.entries), listing.bytes), reserve)
            manifest = _copy(source, partial, listing, listing.entries, work)
            _write_manifest_beside(destination, manifest)
            publish(partial, destination)
    return _backup(destination, manifest, listing, work, already_there=False)


def restore(
    backup: Path,
    destination: Path,
    *,
    threads: int = THREADS,
    reserve: int = RESERVE_BYTES,
    progress: Progress = lambda done, total: None,
    stop: Stop = lambda: False,
) -> Backup:
    """Copy a backup to a place where nothing stands, and prove that it is what the manifest says.

    As `copy_verified`, but names, contents, times and modes are those of the manifest beside the backup, and
    no manifest is written.
    """
    refuse_inside_one_another(backup, destination)
    manifest = read_manifest(manifest_path(backup))
    with claimed(destination):
        listing = _list_source(backup)
        work = Work(manifest.algorithm, threads, 2 * listing.bytes, progress, stop)
        if os.path.lexists(destination):
            if differ := _read_back(destination, manifest, work):
                raise conflict(f"{shown_path(destination)} is there already: {listed(differ)}.")
            return _backup(destination, manifest, listing, work, already_there=True)
        with partial_folder(destination) as partial:
            check_space(destination, space_needed(len(listing.entries), listing.bytes), reserve)
            copied = _copy(backup, partial, listing, _as_in(manifest, listing.entries), work)
            _refuse_damage(backup, differences(manifest, copied.entries), "Restore from another copy.")
            publish(partial, destination)
    return _backup(destination, manifest, listing, work, already_there=False)


def verify(
    folder: Path,
    manifest: Manifest,
    *,
    but: Container[str] = (),
    threads: int = THREADS,
    progress: Progress = lambda done, total: None,
    stop: Stop = lambda: False,
) -> tuple[str, ...]:
    """Read a folder from its disk and say where it differs from a manifest, `but` for some of the names in
    it; () = it is equal.

    Names, sizes, contents and links count, times and modes do not. An empty manifest or folder is never
    equal. Raises CopyProblem where the folder cannot be read, or changed meanwhile: then what was read first
    proves nothing any more.
    """
    before = list_folder(folder)
    work = Work(manifest.algorithm, threads, manifest.bytes, progress, stop)
    differ = _read_back(folder, manifest, work, but)
    _refuse_change(folder, before)
    return differ


# ---- the steps ----


def _backup(folder: Path, manifest: Manifest, listing: Listing, work: Work, *, already_there: bool) -> Backup:
    read_back = work.read_back_at, work.read_back_stamp
    return Backup(folder, manifest, listing.digest, already_there, _remarks(listing.entries), *read_back)


def _list_source(source: Path) -> Listing:
    """List what is to be copied. Raises CopyProblem for what cannot be copied faithfully, naming it."""
    listing = list_folder(source)
    if listing.problems:
        problems = listed([f"{shown_path(path)} {why}" for path, why in listing.problems])
        raise CopyProblem("unreadable", f"In {shown_path(source)}: {problems}.", "Mend this, then retry.")
    special = [shown_path(entry.path) for entry in listing.entries if entry.kind == "special"]
    if special:
        sentence = f"In {shown_path(source)}: {listed(special)}: a FIFO, socket or device, which is no data."
        raise unsafe(sentence, "Move it elsewhere, then retry.")
    if not listing.files:
        raise CopyProblem("empty", f"{shown_path(source)} holds no file.", "Is its disk mounted?")
    return listing


def _copy(source: Path, partial: Path, listing: Listing, entries: Entries, work: Work) -> Manifest:
    """Copy `entries` into the partial folder, and return their manifest once the copy is proven."""
    make_folders_and_links(partial, entries)
    hashes = copy_files(source, partial, _files(entries), work)
    finish_folders(source, partial, entries)
    manifest = Manifest(work.algorithm, _with_hashes(entries, hashes))
    _refuse_damage(partial, _read_back(partial, manifest, work), _CHECK_THE_DISK)
    _refuse_change(source, listing)
    return manifest


def _recognise(source: Path, listing: Listing, destination: Path, work: Work) -> Manifest:
    """Return the manifest of a copy made before, once it and the source are proven to be equal still."""
    path = manifest_path(destination)
    if not os.path.lexists(path):
        raise conflict(f"{shown_path(destination)} is there already, without a manifest.")
    manifest = read_manifest(path)
    work.algorithm = manifest.algorithm
    found = _with_hashes(listing.entries, hash_files(source, _files(listing.entries), work))
    _refuse_change(source, listing)
    if differ := differences(manifest, found):
        raise conflict(f"{shown_path(destination)} is there already with other content: {listed(differ)}.")
    _refuse_damage(destination, _read_back(destination, manifest, work), _KEEP_THE_SOURCE)
    return manifest


def _read_back(folder: Path, manifest: Manifest, work: Work, but: Container[str] = ()) -> tuple[str, ...]:
    work.read_back_at = datetime.now(UTC)
    listing = list_folder(folder)
    work.read_back_stamp = listing.stamp
    problems = tuple(f"{shown_path(path)} {why}" for path, why in listing.problems)
    expected, found = (
        tuple(entry for entry in entries if entry.path not in but)
        for entries in (manifest.entries, listing.entries)
    )
    hashes = hash_files(folder, _files(found), work, from_disk=True)
    return problems + differences(replace(manifest, entries=expected), _with_hashes(found, hashes))


def _write_manifest_beside(destination: Path, manifest: Manifest) -> None:
    """Write the manifest, unless one of another copy stands there whose folder was moved away."""
    path = manifest_path(destination)
    if os.path.lexists(path) and (differ := differences(read_manifest(path), manifest.entries)):
        raise conflict(f"{shown_path(path)} is there already and tells of another copy: {listed(differ)}.")
    write_manifest(manifest, path)


def _refuse_change(source: Path, before: Listing) -> None:
    if list_folder(source).stamp != before.stamp:
        raise source_changed(f"{shown_path(source)} changed while it was read.")


def _refuse_damage(folder: Path, differ: tuple[str, ...], remedy: str) -> None:
    if differ:
        raise damaged(folder, f"is not what its manifest says: {listed(differ)}", remedy)


# ---- entries ----


def _files(entries: Entries) -> list[Entry]:
    return [entry for entry in entries if entry.kind == "file"]


def _with_hashes(entries: Entries, hashes: Iterable[str]) -> Entries:
    """Entries with the hashes of their files, which are given in the same order."""
    rest = iter(hashes)
    return tuple(entry._replace(hash=next(rest)) if entry.kind == "file" else entry for entry in entries)


def _as_in(manifest: Manifest, entries: Entries) -> Entries:
    """Entries with the times and modes that the manifest has of them."""
    known = {entry.path: entry for entry in manifest.entries}
    return tuple(
        entry._replace(mtime_ns=was.mtime_ns, mode=was.mode) if (was := known.get(entry.path)) else entry
        for entry in entries
    )


def _remarks(entries: Entries) -> tuple[str, ...]:
    outside = (
        f"{shown_path(entry.path)} is a link that leads out of the run, to {shown_path(entry.target)}:"
        " the link was copied, what it leads to was not"
        for entry in entries
        if entry.kind == "link" and _leads_outside(entry)
    )
    odd = (
        f"{shown_path(entry.path)} has a name that is no plain text; it was copied as it is"
        for entry in entries
        if not entry.path.isprintable()
    )
    return (*outside, *odd)


def _leads_outside(link: Entry) -> bool:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    return target.startswith(("/", "../")) or target == ".."
