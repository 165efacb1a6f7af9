"""What differs between two versions of a sample sheet: in words, line by line, in files expected. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from operator import attrgetter
from typing import NamedTuple

from .expected import ExpectedFile
from .illumina.sample_sheet import Sample, SampleRow, SampleSheet

#: Larger blocks of changed lines are told as a whole: comparing takes time by their product.
MOST_COMPARISONS = 1_000_000


class Change(NamedTuple):
    """A text that differs: of a sample (`what` is its Sample_ID) or of a section ("Settings").

    `before` and `after` are "" where it is not there.
    """

    what: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SheetDifference:
    """What a version of a sheet has otherwise than one before it.

    `renamed` are samples whose rows stayed under another Sample_ID, `renumbered` those whose S number alone
    differs, since samples before them came or went.
    """

    added: tuple[Sample, ...]
    removed: tuple[Sample, ...]
    renamed: tuple[Change, ...]
    changed: tuple[Change, ...]
    renumbered: tuple[Change, ...]
    sections: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        samples = self.added or self.removed or self.renamed or self.changed or self.renumbered
        return not (samples or self.sections)


def sheet_difference(before: SampleSheet, after: SampleSheet) -> SheetDifference:
    """Return all that differs in what two versions say; comments, blank rows and spacing say nothing."""
    old, new = ({sample.sample_id: sample for sample in sheet.samples} for sheet in (before, after))
    in_both = [(old[sample_id], sample) for sample_id, sample in new.items() if sample_id in old]
    added = [sample for sample_id, sample in new.items() if sample_id not in old]
    removed = [sample for sample_id, sample in old.items() if sample_id not in new]
    pairs = list(_under_another_name(removed, added))
    renamed_ids = {sample.sample_id for pair in pairs for sample in pair}
    return SheetDifference(
        added=tuple(sample for sample in added if sample.sample_id not in renamed_ids),
        removed=tuple(sample for sample in removed if sample.sample_id not in renamed_ids),
        renamed=tuple(Change(a.sample_id, "Sample_ID", a.sample_id, b.sample_id) for a, b in pairs),
        changed=tuple(change for a, b in in_both for change in _changes_of_sample(a, b)),
        renumbered=tuple(
            Change(a.sample_id, "S number", f"S{a.number}", f"S{b.number}")
            for a, b in in_both
            if a.number != b.number
        ),
        sections=tuple(_changes_of_sections(before, after)),
    )


# ---- Samples ---------------------------------------------------------------------------------------


def _under_another_name(
    removed: Sequence[Sample], added: Sequence[Sample]
) -> Iterator[tuple[Sample, Sample]]:
    """Pairs that agree in lanes, indexes and project, where no other sample does."""
    gone, come = _by_place(removed), _by_place(added)
    for place, samples in gone.items():
        if len(samples) == len(come.get(place, ())) == 1:
            yield samples[0], come[place][0]


def _by_place(samples: Iterable[Sample]) -> dict[tuple[object, ...], list[Sample]]:
    places: dict[tuple[object, ...], list[Sample]] = {}
    for sample in samples:
        place = tuple((row.lane, row.index, row.index2, row.project) for row in sample.rows)
        if any(row.index for row in sample.rows):  # a sample without an index stands anywhere
            places.setdefault(place, []).append(sample)
    return places


def _changes_of_sample(before: Sample, after: Sample) -> Iterator[Change]:
    if list(map(_SAID, before.rows)) == list(map(_SAID, after.rows)):
        return  # nearly all samples of nearly all sheets
    old, new = _texts(before), _texts(after)
    if old == new and len(before.rows) != len(after.rows):
        yield Change(after.sample_id, "rows", f"{len(before.rows)}", f"{len(after.rows)}")
    for field in dict.fromkeys([*old, *new]):
        if old.get(field, "") != new.get(field, ""):
            yield Change(after.sample_id, field, old.get(field, ""), new.get(field, ""))


#: All that a row says, apart from the line it stands on.
_SAID = attrgetter("lane", "index", "index2", "project", "sample_name", "failed", "description", "extra")


def _texts(sample: Sample) -> dict[str, str]:
    """What a sample's rows say, field by field: once where all say the same, else row by row, by lane."""
    rows = [_fields(row) for row in sorted(sample.rows, key=lambda row: row.lane or 0)]
    said = {
        field: [row.get(field, "") for row in rows] for field in dict.fromkeys(f for row in rows for f in row)
    }
    return {field: texts[0] if len(set(texts)) == 1 else _listed(texts) for field, texts in said.items()}


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(text or "none" for text in texts)


def _fields(row: SampleRow) -> dict[str, str]:
    return {
        "lane": "" if row.lane is None else str(row.lane),
        "index": row.index,
        "index2": row.index2,
        "project": row.project,
        "name": row.sample_name,
        "failed": "yes" if row.failed else "",
        "description": row.description,
        **row.extra,
    }


# ---- Sections --------------------------------------------------------------------------------------


def _changes_of_sections(before: SampleSheet, after: SampleSheet) -> Iterator[Change]:
    if before.version != after.version:
        yield Change("Sheet", "form", before.version, after.version)
    yield from _changes_of_pairs("Header", before.header, after.header)
    old, new = (", ".join(" ".join(cells) for cells in sheet.reads) for sheet in (before, after))
    if old != new:
        yield Change("Reads", "cycles", old, new)
    yield from _changes_of_pairs("Settings", before.settings, after.settings)


def _changes_of_pairs(section: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Change(section, name, old.get(name, ""), new.get(name, ""))


# ---- Lines -----------------------------------------------------------------------------------------


class ChangedLine(NamedTuple):
    """A line that is gone ("-") or new ("+"), with its number in the version that has it."""

    sign: str
    number: int
    text: str


def changed_lines(before: str, after: str) -> list[list[ChangedLine]]:
    """Return the lines that differ, those that follow one another in one block, gone ones before new ones."""
    old, new = before.split("\n"), after.split("\n")
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    return [
        [
            *(ChangedLine("-", start + at + 1, left[at]) for at in range(i1, i2)),
            *(ChangedLine("+", start + at + 1, right[at]) for at in range(j1, j2)),
        ]
        for i1, i2, j1, j2 in _differing(left, right)
    ]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many first lines are equal."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _differing(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int, int, int]]:
    if not (left and right) or len(left) * len(right) > MOST_COMPARISONS:
        return [(0, len(left), 0, len(right))] if left or right else []
    matcher = SequenceMatcher(None, left, right)
    return [place for tag, *place in matcher.get_opcodes() if tag != "equal"]  # type: ignore[misc]


# ---- Files -----------------------------------------------------------------------------------------


class RenamedFile(NamedTuple):
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class FileEffects:
    """Paths that a version asks for besides, asks for no more, and asks for under another name."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    renamed: tuple[RenamedFile, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.wanted or self.unwanted or self.renamed)


def file_effects(before: Iterable[ExpectedFile], after: Iterable[ExpectedFile]) -> FileEffects:
    """Say which files a change of the sheet asks for, by what each version expects (`expected_files`).

    A file whose absence is no loss (of a control or failed sample) is not asked for. A file is known by its
    sample, lane and read: of a sample that moves to another project it is renamed.
    """
    old, new = _by_slot(before), _by_slot(after)
    return FileEffects(
        wanted=tuple(path for slot, path in new.items() if slot not in old),
        unwanted=tuple(path for slot, path in old.items() if slot not in new),
        renamed=tuple(
            RenamedFile(old[slot], path) for slot, path in new.items() if slot in old and old[slot] != path
        ),
    )


def _by_slot(files: Iterable[ExpectedFile]) -> dict[tuple[object, ...], str]:
    return {
        (file.file_type, file.sample and file.sample[1], file.lane, file.read): file.path
        for file in files
        if not file.skip_reason
    }
