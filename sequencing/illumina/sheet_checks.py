"""What can be wrong between the rows of a sample sheet: indexes and samples that clash.

All are warnings, for samples, lanes and files are known all the same; but a converter refuses the sheet.
Deliveries stop at the codes in REFUSED_BY_CONVERTERS.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence

from .errors import Problem, shown
from .sheet_model import SampleRow, Version, both_indexes
from .sheet_rows import Columns

REFUSED_BY_CONVERTERS = frozenset(
    {
        "bad_index",
        "case_clash",
        "differing_sample",
        "duplicate_index",
        "duplicate_row",
        "index_set_name",
        "long_row",
        "open_quote",
        "lane_out_of_range",
        "missing_index",
        "mixed_index_lengths",
        "some_rows_without_lane",
        "unsafe_name",
    }
)
FAMILIES_READ: Mapping[str, tuple[Version, ...]] = {"bcl-convert": ("v1", "v2"), "bcl2fastq": ("v1",)}
"""Which families of sheets each of Illumina's converters reads."""

_SEQUENCE = re.compile(r"[ACGTN]*")
_INDEX_SET = re.compile(r"SI-[A-Z0-9]{2,3}-[A-H][0-9]{1,2}")


def check_rows(
    rows: Sequence[SampleRow], columns: Columns, bad_lanes: Container[int | None]
) -> Iterator[Problem]:
    """Yield what is wrong between the rows of a sheet with these columns.

    `bad_lanes` are the rows, by their line, whose lane could not be read.
    """
    yield from _check_lanes([row for row in rows if row.row not in bad_lanes])
    yield from _check_samples(rows, columns.name(columns.sample_id))
    names = (columns.name(columns.index), columns.name(columns.index2))
    version: Version = "casava" if columns.is_casava else ""
    indexes = [both_indexes(row, version) for row in rows]
    yield from _check_sequences(rows, indexes, names)
    if columns.has_index:
        yield from _check_missing_indexes(rows, names)
        yield from _check_index_lengths(rows, indexes, names)
        yield from _check_duplicate_indexes(rows, names)
    elif _lane_samples(rows)[1] > 1:
        message = "The sheet has several samples in a lane and no index column"
        yield Problem("warning", "missing_index", message, "Add the index of each sample.")


def _check_lanes(rows: Sequence[SampleRow]) -> Iterator[Problem]:
    without = [row for row in rows if row.lane is None]
    if without and len(without) < len(rows):
        message = "Some rows name a lane and this one does not; it was taken to be in every lane"
        yield Problem(
            "warning", "some_rows_without_lane", message, "Fill in the lane of every row.", without[0].row
        )


def _check_samples(rows: Sequence[SampleRow], column: str) -> Iterator[Problem]:
    first: dict[str, SampleRow] = {}
    written: dict[str, str] = {}
    for row in rows:
        earlier = first.setdefault(row.sample_id, row)
        if (row.project, row.sample_name) != (earlier.project, earlier.sample_name):
            message = f"The same sample has another name or project on row {earlier.row}"
            remedy = "Give the sample one name and one project, or give one of the two another id."
            yield _row_problem("differing_sample", message, remedy, row, column, row.sample_id)
        other = written.setdefault(row.sample_id.lower(), row.sample_id)
        if other != row.sample_id and earlier is row:
            message = f"The id differs from {shown(other)} in upper and lower case only"
            remedy = "Give the two samples ids that differ otherwise, or write one sample alike everywhere."
            yield _row_problem("case_clash", message, remedy, row, column, row.sample_id)


def _check_sequences(
    rows: Sequence[SampleRow], indexes: Sequence[tuple[str, str]], names: tuple[str, str]
) -> Iterator[Problem]:
    for row, pair in zip(rows, indexes, strict=True):
        for column, index, text in zip(names, pair, (row.index, row.index2), strict=True):
            if _SEQUENCE.fullmatch(index):
                continue
            if _INDEX_SET.fullmatch(text):
                message = "This is the name of a 10x index set, not a sequence"
                remedy = (
                    "Convert with 10x's own program, or write its sequences: those of a single-index set "
                    "(SI-GA, SI-NA) on four rows, of a dual-index set (SI-TT, SI-TN) into index and index2."
                )
                yield _row_problem("index_set_name", message, remedy, row, column, text)
            else:
                message = "The index is not a sequence of A, C, G, T and N"
                remedy = "Correct it: no spaces, no other letters."
                yield _row_problem("bad_index", message, remedy, row, column, text or index)


def _lane_samples(rows: Sequence[SampleRow]) -> tuple[dict[int | None, set[str]], int]:
    """Return the samples of each lane, and the most that one lane has."""
    samples: dict[int | None, set[str]] = defaultdict(set)
    for row in rows:
        samples[row.lane].add(row.sample_id)
    everywhere = len(samples.get(None, ()))
    return samples, max((len(ids) + (everywhere if lane else 0) for lane, ids in samples.items()), default=0)


def _check_missing_indexes(rows: Sequence[SampleRow], names: tuple[str, str]) -> Iterator[Problem]:
    without = [row for row in rows if not (row.index or row.index2)]
    if not without:
        return
    samples, _ = _lane_samples(rows)
    for row in without:
        if len(samples[row.lane]) > 1:
            message = "The sample has no index, and its lane holds other samples"
            yield _row_problem("missing_index", message, "Fill in its index.", row, names[0], row.sample_id)


def _check_index_lengths(
    rows: Sequence[SampleRow], indexes: Sequence[tuple[str, str]], names: tuple[str, str]
) -> Iterator[Problem]:
    first: dict[tuple[int | None, int], tuple[int, int]] = {}
    told = set()
    for row, pair in zip(rows, indexes, strict=True):
        for which, index in enumerate(pair):
            if not index or "-" in index:
                continue
            length, at = first.setdefault((row.lane, which), (len(index), row.row))
            if length != len(index) and (row.lane, which) not in told:
                told.add((row.lane, which))
                message = f"The index has {len(index)} bases, that of row {at} in the same lane has {length}"
                remedy = "Write all indexes of a lane in one length; longer ones may be cut to the shortest."
                yield _row_problem("mixed_index_lengths", message, remedy, row, names[which], index)


def _check_duplicate_indexes(rows: Sequence[SampleRow], names: tuple[str, str]) -> Iterator[Problem]:
    seen: dict[tuple[int | None, str, str], SampleRow] = {}
    for row in rows:
        if not (row.index or row.index2):
            continue
        earlier = seen.setdefault((row.lane, row.index, row.index2), row)
        if earlier is row and row.lane is not None:
            earlier = seen.get((None, row.index, row.index2), row)
        if earlier is row:
            continue
        text = "+".join(filter(None, (row.index, row.index2)))
        if earlier.sample_id == row.sample_id:
            message = f"The same sample with the same index stands already on row {earlier.row}"
            yield _row_problem("duplicate_row", message, "Remove one of the two rows.", row, names[0], text)
        else:
            message = (
                f"Sample {shown(earlier.sample_id, 50)} on row {earlier.row} has this index in the same lane"
            )
            yield _row_problem(
                "duplicate_index", message, "Correct the index of one of the two.", row, names[0], text
            )


def _row_problem(code: str, message: str, remedy: str, row: SampleRow, column: str, text: str) -> Problem:
    return Problem("warning", code, message, remedy, row.row, column or None, shown(text))
