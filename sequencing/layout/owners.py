"""Whose file it is: from what a path says to a sample of the sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..illumina.fastq_name import FastqName
from ..illumina.sample_sheet import Sample, SampleRow

SamplesByName = Mapping[str, Sequence[Sample]]
_UNKEPT = re.compile(r"[^A-Za-z0-9]+")
_LANE_END = re.compile(r"_L\d{3}$")
READ_PART = re.compile(r"_[RI]\d(?=(?:_\d{3})?\.[^/]*$)")


def samples_by_name(samples: Iterable[Sample]) -> SamplesByName:
    """Map every text that may stand for a sample in a FASTQ's name to the samples it may stand for."""
    exact: dict[str, list[Sample]] = {}
    altered: dict[str, list[Sample]] = {}
    for sample in samples:
        for text in {sample.sample_id, *(row.sample_name for row in sample.rows if row.sample_name)}:
            exact.setdefault(text, []).append(sample)
            if not text.isalnum():  # MiSeq Reporter writes "A_1" and "A 1" as "A-1"
                altered.setdefault(_UNKEPT.sub("-", text), []).append(sample)
    return altered | exact


def owner_of(path: str, name: FastqName, samples: SamplesByName) -> tuple[Sample | None, FastqName]:
    """Return the sample whose file lies at `path`, and its name, read anew by the ids of the sheet.

    In "Skin_S1_R1.fastq.gz" the sample may be "Skin" or "Skin_S1": the sheet tells. None where it is no
    sample's, or may be several's.
    """
    readings = [name, *_longer_readings(path, name)]
    if name.part is None:  # not written by a converter, which adds _S1 itself and ends in _001
        readings.reverse()
    name = next((reading for reading in readings if reading.sample in samples), name)
    return _likeliest(path, name, samples.get(name.sample, ())), name


def _longer_readings(path: str, name: FastqName) -> Iterator[FastqName]:
    stem = READ_PART.split(path.rpartition("/")[2])[0]
    without_lane = _LANE_END.sub("", stem)
    if without_lane != name.sample:
        yield FastqName(without_lane, None, name.lane, name.read, name.part)
    if stem != without_lane:
        yield FastqName(stem, None, None, name.read, name.part)


def _likeliest(path: str, name: FastqName, candidates: Sequence[Sample]) -> Sample | None:
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    folders = path.split("/")[:-1]

    def likeness(sample: Sample) -> tuple[bool, bool, bool, bool]:
        return (
            sample.sample_id in folders,
            any(row.project in folders for row in sample.rows),
            sample.sample_id == name.sample,
            sample.number == name.s_number,
        )

    best, second = sorted(candidates, key=likeness, reverse=True)[:2]
    return None if likeness(best) == likeness(second) else best


def has_own_name(row: SampleRow) -> bool:
    return bool(row.sample_name) and row.sample_name != row.sample_id


def row_in_lane(sample: Sample, lane: int | None) -> SampleRow:
    """Return the sample's (first) row for a lane; its very first where none names the lane."""
    return next((row for row in sample.rows if row.lane == lane), sample.rows[0])


_INDEX = re.compile(r"[A-Za-z0-9-]+").fullmatch


def index_text(row: SampleRow) -> str:
    """Return a row's index as CASAVA writes it into FASTQ names: i7-i5, i7, or NoIndex."""
    text = f"{row.index}-{row.index2}" if row.index2 else row.index
    return text if _INDEX(text) else "NoIndex"
