"""What should be there, what is there, and what was known: what changed.

A file is known by its slot (type, sample, lane, read), not by its name: converters number samples by their
order in the sheet, archives rename and move files, and an edited sheet must not detach what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .expected import ExpectedFile, SampleKey, sample_key
from .illumina.errors import Problem, shown
from .illumina.sample_sheet import Sample
from .layout import FILE_TYPES, UNKNOWN_LAYOUT, FileType, FoundFile, Layout, analysis_number
from .slots import Filled, Slot, Stranger, as_seen, place

# A gzip stream of nothing takes 20 bytes, BGZF 28; a name in its header adds some. One read takes more.
LARGEST_EMPTY_GZIP = 40
_IS_THERE = frozenset({"complete", "error"})
_WAS_SEEN = _IS_THERE | {"deleted"}

_SOME_LANE = -1


class FileRecord(NamedTuple):
    """One file of a run, as it is recorded.

    `state` is "complete", "non_existent" (expected, never seen), "running" (the same, while the instrument
    runs), "skipped" (its absence is no loss) or "deleted" (was here, is gone: `size` and `mtime_ns` are the
    last known).
    """

    file_type: str
    path: str
    sample: SampleKey | None
    lane: int | None
    read: str
    state: str
    is_expected: bool
    size: int | None
    mtime_ns: int | None


class KnownFile(NamedTuple):
    """What is recorded of a file, and the key of its row."""

    pk: int
    record: FileRecord


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to write, and what to tell. Empty lists mean that nothing changed.

    Safe for a UNIQUE(run, path) in any order of writing, if `forgotten` goes first: a row only ever moves to
    a path that no known row has, since whatever lies at a known path stays with that path's row.
    `not_checked` are expected files, never seen, of a run that could not be read in whole: neither there nor
    missing. The counts are of all files of the run after this comparison.
    """

    new: list[FileRecord] = field(default_factory=list)
    updated: list[tuple[int, FileRecord]] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    appeared: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files_expected: int = 0
    files_found: int = 0
    files_total: int = 0
    bytes_total: int = 0

    @property
    def has_changes(self) -> bool:
        return bool(self.new or self.updated or self.forgotten)


def compare(
    expected: Iterable[ExpectedFile],
    found: Iterable[tuple[str, FoundFile]],
    known: Iterable[KnownFile],
    *,
    samples: Iterable[Sample] = (),
    layout: Layout = UNKNOWN_LAYOUT,
    unreadable: Collection[str] = (),
    is_sequencing: bool = False,
    file_types: Mapping[str, FileType] = FILE_TYPES,
) -> Comparison:
    """Compare what should be in a run folder, and what is, with what was known of it.

    `found` are (file type, file); `samples` those of the sheet, by which the names of found files are read;
    `unreadable` folders inside the run of whose files nothing is known ("" = the whole run): no file that may
    lie there is called missing. Comparing again, after the changes are made, changes nothing.
    """
    samples = tuple(samples)
    filled, unfilled, extras = place(expected, found, samples, layout, file_types)
    left = {one.record.path: one for one in known}
    present = [(record, left.pop(record.path, None)) for record in map(_filled_record, filled)]
    others = [(record, left.pop(record.path, None)) for record in map(_extra_record, extras)]
    missing = [(want, left.pop(want.path, None)) for want in _as_known(unfilled, left.values())]
    if left:
        take = _rows_by_slot(left, unreadable)
        present = [(record, one or take(record)) for record, one in present]
        missing = [(want, one or take(want)) for want, one in missing]
    changes = _Changes(unreadable, is_sequencing, {sample_key(sample) for sample in samples})
    for record, one in (*present, *others):
        changes.add_present(record, one)
    for want, one in missing:
        changes.add_missing(want, one)
    for one in left.values():
        changes.add_leftover(one)
    return changes.finish(_problems(filled, extras))


def paths_seen(known: Iterable[KnownFile], file_type: str = "fastq") -> list[str]:
    """Return the paths where files of a type are or were, leaving out those that were only ever expected."""
    records = (one.record for one in known)
    return [r.path for r in records if r.state in _WAS_SEEN and r.file_type == file_type]


# ---- Records of what is there -------------------------------------------------------------------


def _slot(file: ExpectedFile | FileRecord) -> Slot:
    return file.file_type, file.sample, file.lane, file.read


def _filled_record(filled: Filled) -> FileRecord:
    (kind, _path, sample, lane, read, skip_reason), (path, size, mtime_ns) = filled
    return FileRecord(kind, path, sample, lane, read, "complete", not skip_reason, size, mtime_ns)


def _extra_record(stranger: Stranger) -> FileRecord:
    (kind, sample, lane, read), _part, (path, size, mtime_ns) = stranger
    return FileRecord(kind, path, sample, lane, read, "complete", False, size, mtime_ns)


# ---- Known rows to files --------------------------------------------------------------------------


def _as_known(wants: list[ExpectedFile], known: Iterable[KnownFile]) -> list[ExpectedFile]:
    """Expect what is gone where it was last seen, and not where a new name would put it."""
    paths = {want.path for want in wants}
    gone = [one for one in known if one.record.state in _WAS_SEEN and one.record.path not in paths]
    seen: dict[Slot, str] = {}
    for one in sorted(gone, key=_nearness) if wants else ():
        seen.setdefault(_slot(one.record), one.record.path)
    return as_seen(wants, seen)


def _nearness(one: KnownFile) -> tuple[bool, bool, int]:
    """Of several rows for one slot, the least of this is taken."""
    return not one.record.is_expected, one.record.state != "complete", one.pk


def _rows_by_slot(
    left: dict[str, KnownFile], unreadable: Collection[str]
) -> Callable[[ExpectedFile | FileRecord], KnownFile | None]:
    """Return what takes, out of `left`, the row of a file's slot, so that a renamed file keeps its row.

    Lanes merged into one file, or split, keep what they can. A row whose file may still lie in an unreadable
    folder is not taken.
    """
    rows: dict[Slot, KnownFile] = {}
    for one in sorted(left.values(), key=_nearness):
        if not _is_below(one.record.path, unreadable):
            kind, sample, lane, read = _slot(one.record)
            rows.setdefault((kind, sample, lane, read), one)
            if lane is not None:
                rows.setdefault((kind, sample, _SOME_LANE, read), one)

    def take(file: ExpectedFile | FileRecord) -> KnownFile | None:
        kind, sample, lane, read = _slot(file)
        for other in (lane, _SOME_LANE if lane is None else None):
            one = rows.get((kind, sample, other, read))
            if one and left.pop(one.record.path, None):
                return one
        return None

    return take


def _is_below(path: str, folders: Collection[str]) -> bool:
    """Whether a path is one of those that could not be read ("" = the whole run), or lies below one."""
    return any(not folder or path == folder or path.startswith(f"{folder}/") for folder in folders)


# ---- What changed ---------------------------------------------------------------------------------


class _Changes:
    """Collects a Comparison, file by file."""

    def __init__(
        self, unreadable: Collection[str], is_sequencing: bool, samples: Collection[SampleKey]
    ) -> None:
        self.unreadable, self.samples = unreadable, samples
        self.absent = "running" if is_sequencing else "non_existent"
        self.comparison = Comparison()
        self.after: list[FileRecord] = []

    def add_present(self, record: FileRecord, one: KnownFile | None) -> None:
        before = one.record if one else None
        if before is None or before.state not in _IS_THERE or before.path != record.path:
            self.comparison.appeared.append(record.path)
            if before and before.state in _IS_THERE:
                self.comparison.vanished.append(before.path)
        elif (before.size, before.mtime_ns) != (record.size, record.mtime_ns):
            self.comparison.changed.append(record.path)
        self._write(record, one)

    def add_missing(self, want: ExpectedFile, one: KnownFile | None) -> None:
        kind, path, sample, lane, read, skip_reason = want
        is_expected = not skip_reason
        if one and one.record.state in _WAS_SEEN:
            self._write_gone(
                one, one.record._replace(sample=sample, lane=lane, read=read, is_expected=is_expected)
            )
        elif self.unreadable:
            self._keep(one) if one else self.comparison.not_checked.append(path)
        else:
            state = "skipped" if skip_reason else self.absent
            self._write(FileRecord(kind, path, sample, lane, read, state, is_expected, None, None), one)

    def add_leftover(self, one: KnownFile) -> None:
        """A row whose file is neither there nor expected any more."""
        if one.record.state in _WAS_SEEN:
            sample = one.record.sample if one.record.sample in self.samples else None
            self._write_gone(one, one.record._replace(sample=sample, is_expected=False))
        elif _is_below(one.record.path, self.unreadable):
            self._keep(one)
        else:
            self.comparison.forgotten.append(one.pk)

    def _write_gone(self, one: KnownFile, record: FileRecord) -> None:
        if _is_below(one.record.path, self.unreadable):
            self._keep(one)
            return
        if one.record.state in _IS_THERE:
            self.comparison.vanished.append(one.record.path)
        self._write(record._replace(state="deleted"), one)

    def _write(self, record: FileRecord, one: KnownFile | None) -> None:
        self.after.append(record)
        if one is None:
            self.comparison.new.append(record)
        elif one.record != record:
            self.comparison.updated.append((one.pk, record))

    def _keep(self, one: KnownFile) -> None:
        self.after.append(one.record)

    def finish(self, problems: list[Problem]) -> Comparison:
        there = [record for record in self.after if record.state in _IS_THERE]
        for paths in (self.comparison.appeared, self.comparison.vanished, self.comparison.changed):
            paths.sort()
        return replace(
            self.comparison,
            problems=problems,
            files_expected=sum(record.is_expected for record in self.after)
            + len(self.comparison.not_checked),
            files_found=sum(record.is_expected for record in there),
            files_total=len(there),
            bytes_total=sum(record.size or 0 for record in there),
        )


# ---- What to tell ---------------------------------------------------------------------------------


def _problems(filled: list[Filled], extras: list[Stranger]) -> list[Problem]:
    empty = [file.path for want, file in filled if want.file_type == "fastq" and is_empty_fastq(file)]
    taken = {_slot(want): file.path for want, file in filled}
    doubles = [
        stranger.file.path
        for stranger in extras
        if stranger.slot in taken
        and stranger.part == 1
        and analysis_number(stranger.file.path) >= analysis_number(taken[stranger.slot])
    ]
    problems = []
    if empty:
        problems.append(
            _warning(
                "empty_fastq",
                f"{_count(empty, 'FASTQ holds', 'FASTQs hold')} no reads",
                "Check that the indexes of these samples in the sheet are right.",
                empty,
            )
        )
    if doubles:
        problems.append(
            _warning(
                "second_file",
                f"{_count(doubles, 'file is', 'files are')} a second one for the same sample, lane and read",
                "Keep one set of FASTQs in the run folder; move the other elsewhere.",
                doubles,
            )
        )
    return problems


def is_empty_fastq(file: FoundFile) -> bool:
    """Whether a FASTQ is too small to hold a read."""
    return file.size <= (LARGEST_EMPTY_GZIP if file.path.endswith(".gz") else 0)


def _count(paths: list[str], one: str, many: str) -> str:
    return f"{len(paths)} {one if len(paths) == 1 else many}"


def _warning(code: str, message: str, remedy: str, paths: list[str]) -> Problem:
    return Problem(
        "warning", code, f"{message}: {shown(', '.join(sorted(paths)))}", remedy, text=shown(min(paths))
    )
