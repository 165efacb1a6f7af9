"""How far apart the indexes of a lane lie: whether a converter can tell its samples from one another. Pure.

A read belongs to a sample where each of its indexes has at most so many mismatches as are allowed: 1, unless
BarcodeMismatchesIndex1 or BarcodeMismatchesIndex2 say 0 or 2. Two samples collide where in both indexes they
differ in no more bases than are allowed to the one and to the other together, for one read can then belong to
both; BCL Convert and bcl2fastq refuse such a sheet (Illumina Knowledge 2326, "barcode collision"). An N is a
letter as any other, it stands for no base (Illumina Knowledge 3560). Indexes of several lengths are compared
over the shorter one. Several indexes of one sample never collide: their reads belong together.

BCL Convert once looked at each index alone, and does so for the lanes of IndependentIndexCollisionCheck: then
it refuses two different ones that lie so close, whatever the other index says ("Insufficient hamming distance
for 1-mismatch-tolerance"). With which version that ended is unsure, so it is a warning.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..illumina.errors import Problem, shown
from ..illumina.sample_sheet import SampleRow, SampleSheet, both_indexes

MOST_IN_A_LANE = 2_000
MOST_COMPARISONS = 3_000_000
MOST_CLOSEST = 20
MOST_COLLISIONS = 500
MOST_ALONE = 400

_SEQUENCE = re.compile(r"[ACGTN]{0,100}").fullmatch  # no index read is longer


@dataclass(frozen=True, slots=True)
class Barcode:
    """The indexes of one row, `row` its line in the file, and how many mismatches are allowed in each."""

    row: int
    sample_id: str
    index: str
    index2: str
    allowed: tuple[int, int]

    @property
    def text(self) -> str:
        return "+".join(filter(None, (self.index, self.index2)))


class Pair(NamedTuple):
    """Two rows, and in how many bases their indexes differ."""

    first: Barcode
    second: Barcode
    distance: int
    distance2: int

    @property
    def both(self) -> tuple[Barcode, Barcode]:
        return self.first, self.second

    @property
    def total(self) -> int:
        return self.distance + self.distance2

    @property
    def is_of_two(self) -> bool:
        """Whether the rows are of different samples."""
        return self.first.sample_id != self.second.sample_id

    @property
    def collides(self) -> bool:
        """Whether one read can belong to two samples."""
        one, other = self.first.allowed, self.second.allowed
        is_near = self.distance <= one[0] + other[0] and self.distance2 <= one[1] + other[1]
        return is_near and self.is_of_two


@dataclass(frozen=True, slots=True)
class LaneIndexes:
    """The indexes of a lane, or of several lanes that hold the same samples with the same indexes.

    `lanes` is empty where the sheet names none. `least` is the least distance of two samples over both
    indexes, None where there are no two; `closest` are the pairs that lie closest, those that collide first.
    After MOST_COLLISIONS `collisions` nobody looks for more (`has_more`). `not_compared` says why no
    distances are known, "" where they are. `no_sequences` are (row, text) of indexes that are none.
    """

    lanes: tuple[int, ...]
    barcodes: tuple[Barcode, ...]
    no_sequences: tuple[tuple[int, str], ...] = ()
    least: int | None = None
    closest: tuple[Pair, ...] = ()
    collisions: tuple[Pair, ...] = ()
    has_more: bool = False
    not_compared: str = ""

    @property
    def lengths(self) -> list[tuple[tuple[int, int], int]]:
        """How many rows have indexes of which lengths, the most common first."""
        return Counter((len(one.index), len(one.index2)) for one in self.barcodes).most_common()


def lanes_of_sheet(sheet: SampleSheet) -> list[LaneIndexes]:
    """Return the indexes of each lane; lanes that are alike stand together, with the rows of the first."""
    read = {lane: _read(rows, sheet) for lane, rows in _rows_by_lane(sheet).items()}
    alike: dict[object, list[int | None]] = {}
    for number, lane in read.items():
        alike.setdefault(_without_rows(lane), []).append(number)
    left = MOST_COMPARISONS
    lanes = []
    for numbers in alike.values():
        lane = replace(read[numbers[0]], lanes=tuple(number for number in numbers if number is not None))
        count = len(lane.barcodes)
        if count > MOST_IN_A_LANE or (comparisons := count * (count - 1) // 2) > left:
            why = f"The {count:,} indexes are too many to compare each with each; equal ones are told."
            lanes.append(replace(lane, not_compared=why))
        else:
            left -= comparisons
            lanes.append(_compared(lane))
    return lanes


def distances(barcodes: Sequence[Barcode]) -> Iterator[list[Pair]]:
    """Yield, for each barcode, its pairs with those before it: the lower half of the matrix."""
    coded = _coded(barcodes)
    for at in range(len(barcodes)):
        yield [coded.pair(other, at) for other in range(at)]


def collision_problems(lanes: Iterable[LaneIndexes]) -> Iterator[Problem]:
    """Yield a problem for each row that collides with one before it; equal indexes have a problem already."""
    for lane in lanes:
        told = {pair.second.row for pair in lane.collisions if not pair.total}
        for pair in lane.collisions:
            if pair.second.row not in told:
                told.add(pair.second.row)
                yield _collision(pair, lane.lanes)


def problems_of_one_index(lanes: Iterable[LaneIndexes]) -> Iterator[Problem]:
    """Yield, for each index of a lane with two, the first pair that collides in that index alone.

    Not where samples collide anyway, nor of more than MOST_ALONE different sequences.
    """
    for lane in lanes:
        if lane.collisions or not any(barcode.index2 for barcode in lane.barcodes):
            continue
        for which in (0, 1):
            alone = {(one.index, one.index2)[which]: one for one in reversed(lane.barcodes)}
            single = tuple(
                replace(one, index=index, index2="", allowed=(one.allowed[which], 0))
                for index, one in sorted(alone.items(), key=lambda item: item[1].row)
                if index and len(alone) <= MOST_ALONE
            )
            if near := _compared(LaneIndexes(lane.lanes, single)).collisions:
                yield _close_alone(near, which)


# ---- One lane -----------------------------------------------------------------------------------------


def _rows_by_lane(sheet: SampleSheet) -> dict[int | None, list[SampleRow]]:
    """The rows of each lane, those without one being in all; of lane None where the sheet names no lane."""
    lanes = sorted({row.lane for row in sheet.rows if row.lane is not None})
    if len(lanes) < 2:
        return {(lanes[0] if lanes else None): list(sheet.rows)} if sheet.rows else {}
    return {lane: [row for row in sheet.rows if row.lane in (lane, None)] for lane in lanes}


def _read(rows: Sequence[SampleRow], sheet: SampleSheet) -> LaneIndexes:
    """The rows of a lane, their indexes not yet compared."""
    allowed = _allowed(sheet.settings, (1, 1))
    differs = any(name in sheet.columns for name in _MISMATCHES)
    barcodes, names = [], []
    for row in rows:
        index, index2 = both_indexes(row, sheet.version)
        unread = [text for text in (index, index2) if not _SEQUENCE(text)]
        if unread:
            names.append((row.row, shown(unread[0], 50)))
        elif index or index2:
            own = _allowed(row.extra, allowed) if differs else allowed
            barcodes.append(Barcode(row.row, row.sample_id, index, index2, own))
    return LaneIndexes((), tuple(barcodes), tuple(names))


_MISMATCHES = ("BarcodeMismatchesIndex1", "BarcodeMismatchesIndex2")


def _allowed(told: Mapping[str, str], otherwise: tuple[int, int]) -> tuple[int, int]:
    """The mismatches allowed in each index, as the settings or a row's own columns tell them."""
    first, second = (
        int(text) if (text := told.get(name, "").strip()) in ("0", "1", "2") else other
        for name, other in zip(_MISMATCHES, otherwise, strict=True)
    )
    return first, second


def _without_rows(lane: LaneIndexes) -> object:
    """What two lanes have in common that hold the same samples with the same indexes."""
    barcodes = sorted((one.sample_id, one.index, one.index2, one.allowed) for one in lane.barcodes)
    return tuple(barcodes), tuple(sorted(text for _row, text in lane.no_sequences))


def _compared(lane: LaneIndexes) -> LaneIndexes:
    """Compare each barcode with each before it. The hot loop: two barcodes cost one `&` of two numbers."""
    coded = _coded(lane.barcodes)
    most = 2 * max((sum(barcode.allowed) for barcode in lane.barcodes), default=0)
    closest: list[Pair] = []
    collisions: list[Pair] = []
    least = enough = sys.maxsize
    for at, letters in enumerate(coded.letters):
        totals = [(letters & others).bit_count() for others in coded.others[:at]]
        if min(totals, default=sys.maxsize) >= max(enough, most + 1):
            continue
        near = [
            coded.pair(other, at) for other, total in enumerate(totals) if total < enough or total <= most
        ]
        near = [pair for pair in near if pair.is_of_two]
        collisions += [pair for pair in near if pair.collides]
        least = min([least, *(pair.total for pair in near)])
        closest = sorted([*closest, *near], key=lambda pair: (not pair.collides, pair.total))[:MOST_CLOSEST]
        if len(closest) == MOST_CLOSEST:
            enough = closest[-1].total
        if len(collisions) > MOST_COLLISIONS:
            break
    return replace(
        lane,
        least=least if closest else None,
        closest=tuple(closest),
        collisions=tuple(collisions[:MOST_COLLISIONS]),
        has_more=len(collisions) > MOST_COLLISIONS,
    )


class _Coded(NamedTuple):
    """Barcodes as numbers. In each byte, which is a base, `letters` has one bit and `others` has the rest, so
    that `letters & others` of two barcodes has one bit for each base in which they differ. Nothing is there,
    in neither, where an index has ended.
    """

    barcodes: Sequence[Barcode]
    letters: Sequence[int]
    others: Sequence[int]
    first_index: int

    def pair(self, first: int, second: int) -> Pair:
        differing = self.letters[first] & self.others[second]
        distance = (differing & self.first_index).bit_count()
        return Pair(self.barcodes[first], self.barcodes[second], distance, differing.bit_count() - distance)


_LETTERS = bytes.maketrans(b"ACGTN ", bytes([1, 2, 4, 8, 16, 0]))
_OTHERS = bytes.maketrans(b"ACGTN ", bytes([30, 29, 27, 23, 15, 0]))


def _coded(barcodes: Sequence[Barcode]) -> _Coded:
    width = max((len(barcode.index) for barcode in barcodes), default=0)
    texts = [(barcode.index.ljust(width) + barcode.index2).encode() for barcode in barcodes]
    letters, others = (
        [int.from_bytes(text.translate(table), "little") for text in texts] for table in (_LETTERS, _OTHERS)
    )
    return _Coded(barcodes, letters, others, (1 << 8 * width) - 1)


# ---- Problems -----------------------------------------------------------------------------------------


def _collision(pair: Pair, lanes: Sequence[int]) -> Problem:
    first, second = pair.first, pair.second
    bases = f"{pair.distance} + {pair.distance2} bases" if second.index2 else _bases(pair.distance)
    one_each = first.allowed == second.allowed == (1, 1)
    allowed = "with 1 mismatch allowed in each" if one_each else "with the mismatches allowed"
    message = f"The index differs from that of {shown(first.sample_id, 50)} on row {first.row} in {bases}"
    also = f" (lanes {', '.join(map(str, lanes))})" if len(lanes) > 1 else ""
    remedy = (
        "Give one of the two another index, or allow no mismatches: BarcodeMismatchesIndex1 and "
        "BarcodeMismatchesIndex2 0."
    )
    return Problem(
        "warning",
        "index_collision",
        f"{message}: {allowed}, a read can belong to both{also}",
        remedy,
        second.row,
        "index",
        shown(second.text),
    )


def _bases(count: int) -> str:
    return "1 base" if count == 1 else f"{count} bases"


def _close_alone(pairs: Sequence[Pair], which: int) -> Problem:
    first, second = pairs[0].both
    ordinal, column = (("first", "index"), ("second", "index2"))[which]
    more = f", and {len(pairs) - 1} more such pairs" if len(pairs) > 1 else ""
    message = (
        f"The {ordinal} index alone differs from that of {shown(first.sample_id, 50)} on row {first.row} in "
        f"only {_bases(pairs[0].distance)}{more}; older versions of BCL Convert refuse that"
    )
    remedy = (
        "Both indexes together tell the samples apart. If your version refuses it, allow no mismatches in "
        f"this index: BarcodeMismatchesIndex{which + 1} 0."
    )
    return Problem("warning", "index_close_alone", message, remedy, second.row, column, shown(second.index))
