"""Which found file fills which slot of a run: by its path where that is expected, else by its name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .expected import ExpectedFile, SampleKey, sample_key
from .illumina.sample_sheet import Sample
from .layout import (
    FileType,
    FoundFile,
    Layout,
    SamplesByName,
    analysis_number,
    owner_of,
    read_path,
    samples_by_name,
)

Slot = tuple[str, SampleKey | None, int | None, str]
"""File type, sample, lane (None: all lanes in one file) and read."""

Filled = tuple[ExpectedFile, FoundFile]


class Stranger(NamedTuple):
    """A found file that does not lie where one is expected, and the slot that its name tells."""

    slot: Slot
    part: int
    file: FoundFile


def place(
    expected: Iterable[ExpectedFile],
    found: Iterable[tuple[str, FoundFile]],
    samples: Sequence[Sample],
    layout: Layout,
    file_types: Mapping[str, FileType],
) -> tuple[list[Filled], list[ExpectedFile], list[Stranger]]:
    """Give each found file its slot: by its path where that is expected, else by what its name says.

    Return the expected files that are there, those that are not, and the found files that nothing asks for.
    """
    wanted: dict[str, ExpectedFile] = {}
    for want in expected:
        wanted.setdefault(want.path, want)
    files = {file.path: (kind, file) for kind, file in found}
    filled = [(wanted.pop(path), file) for path, (kind, file) in files.items() if path in wanted]
    inside = {file.path for _want, file in filled}
    outside = [one for path, one in files.items() if path not in inside]
    if not outside:
        return filled, list(wanted.values()), []
    by_name = samples_by_name(samples)
    strangers = [_stranger(file, file_types[kind], by_name, layout) for kind, file in outside]
    strangers.sort(key=_strangeness)
    seen = {one.slot: one.file.path for one in reversed(strangers) if one.part == 1}
    unfilled = []
    for want in as_seen(wanted.values(), seen):
        if want.path in files:
            filled.append((want, files[want.path][1]))
        else:
            unfilled.append(want)
    inside = {file.path for _want, file in filled}
    return filled, unfilled, [one for one in strangers if one.file.path not in inside]


def _stranger(file: FoundFile, file_type: FileType, samples: SamplesByName, layout: Layout) -> Stranger:
    name = read_path(file.path, file_type, layout)
    if name is None:
        return Stranger((file_type.name, None, None, ""), 1, file)
    sample, name = owner_of(file.path, name, samples)
    key = sample_key(sample) if sample else None
    return Stranger((file_type.name, key, name.lane, name.read), name.part or 1, file)


def _strangeness(stranger: Stranger) -> tuple[int, int, bool, int, str]:
    """Of several files for one slot, the least of this is taken."""
    path = stranger.file.path
    return stranger.part, -analysis_number(path), not path.endswith(".gz"), path.count("/"), path


def as_seen(wants: Iterable[ExpectedFile], seen: Mapping[Slot, str]) -> list[ExpectedFile]:
    """Expect each file at the path where its slot was seen, and lanes split or not as they were seen.

    One file for all lanes fills the slots of every lane that has no file of its own, and the other way round.
    """
    if not seen:
        return list(wants)
    lanes: dict[tuple[str, SampleKey, str], list[int | None]] = defaultdict(list)
    for kind, sample, lane, read in seen:
        if sample is not None:
            lanes[kind, sample, read].append(lane)
    fitted: dict[Slot, ExpectedFile] = {}
    for want in wants:
        kind, _path, sample, lane, read, _skip_reason = want
        lanes_seen = lanes.get((kind, sample, read), ()) if sample else ()
        if lane in lanes_seen or not lanes_seen:
            lanes_wanted: Sequence[int | None] = (lane,)
        elif lane is None:
            lanes_wanted = lanes_seen
        else:
            lanes_wanted = (None,) if None in lanes_seen else (lane,)
        for wanted_lane in lanes_wanted:
            slot = kind, sample, wanted_lane, read
            fitted.setdefault(slot, want._replace(lane=wanted_lane, path=seen.get(slot, want.path)))
    return list(fitted.values())
