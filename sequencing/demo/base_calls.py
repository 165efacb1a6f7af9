"""Writes the base calls of a small barcoded run, in the layout of a MiSeq, so that a converter has work.

One tile a lane. Formats: bcl2fastq2 guide, "BCL files", "Filter files"; `.locs` as Picard reads them.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .run import DemoRun, DemoSample, bases
from .write import write_run

TILE = 1101
_QUALITY = 37
_CODES = {base: _QUALITY << 2 | code for code, base in enumerate("ACGT")}
_NO_CALL = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: the sample it belongs to (None: of no sample), and what is read there.

    `reads` are the bases by the order of sequencing: R1, I1, I2, R2. A cluster that does not pass the filter
    becomes no read.
    """

    sample: DemoSample | None
    reads: tuple[str, ...]
    passes: bool


def write_barcoded_run(
    folder: Path, *, reads_per_sample: int | Mapping[str, int] = 40, unassigned: int = 12, **fields: object
) -> Path:
    """Write a run folder with base calls and without FASTQs, as it comes from a MiSeq; return its path.

    `fields` are those of `write_run`. `reads_per_sample` may tell a number a Sample_ID (0: an empty sample),
    `unassigned` clusters a lane have indexes of no sample. In a lane, every tenth cluster reads its index
    with one error, and as many clusters again as there are samples fail the filter.
    """
    settings = {"layout": "native", "fastqs": False, "cycles": 26, **fields}
    path = write_run(folder, **settings)
    run = DemoRun(**settings)  # type: ignore[arg-type]
    for lane in range(1, run.lane_count + 1):
        _write_lane(path, lane, list(clusters_of(run, lane, reads_per_sample, unassigned)))
    return path


def clusters_of(
    run: DemoRun, lane: int, reads_per_sample: int | Mapping[str, int] = 40, unassigned: int = 12
) -> Iterator[Cluster]:
    """What is read in a lane; the same at every call."""
    samples = [sample for sample in run.sample_list if lane in (sample.lanes or (lane,))]
    for sample in samples:
        count = reads_per_sample
        count = count if isinstance(count, int) else count.get(sample.sample_id, 0)
        for number in range(count):
            indexes = (_misread(sample.index) if number % 10 == 9 else sample.index, sample.index2)
            yield _cluster(run, sample, f"{lane} {sample.sample_id} {number}", indexes)
        yield _cluster(run, sample, f"{lane} {sample.sample_id} fails", (sample.index, sample.index2), False)
    for number in range(unassigned):
        stray = f"stray {'often' if number % 2 else number}"
        yield _cluster(run, None, f"{lane} stray {number}", (bases(stray, 10), bases(f"{stray} i5", 10)))


def _cluster(
    run: DemoRun, sample: DemoSample | None, seed: str, indexes: tuple[str, str], passes: bool = True
) -> Cluster:
    ends = [bases(f"{run.run_id} {seed} R{read}", run.cycles) for read in range(1, run.reads + 1)]
    return Cluster(sample, (ends[0], *indexes, *ends[1:]), passes)


def _misread(index: str) -> str:
    return ("C" if index[0] == "A" else "A") + index[1:]


def _write_lane(run: Path, lane: int, clusters: list[Cluster]) -> None:
    positions = run / "Data/Intensities" / f"L{lane:03d}"
    calls = run / "Data/Intensities/BaseCalls" / f"L{lane:03d}"
    for folder in (positions, calls):
        folder.mkdir(parents=True, exist_ok=True)
    count = len(clusters)
    places = [value for at in range(count) for value in (100.0 + at % 40, 100.0 + at // 40)]
    (positions / f"s_{lane}_{TILE}.locs").write_bytes(
        struct.pack(f"<IfI{2 * count}f", 1, 1.0, count, *places)
    )
    passes = bytes(cluster.passes for cluster in clusters)
    (calls / f"s_{lane}_{TILE}.filter").write_bytes(struct.pack("<III", 0, 3, count) + passes)
    texts = ["".join(cluster.reads) for cluster in clusters]
    for cycle, column in enumerate(zip(*texts, strict=True), 1):
        (calls / f"C{cycle}.1").mkdir(exist_ok=True)
        content = struct.pack("<I", count) + bytes(_CODES.get(base, _NO_CALL) for base in column)
        packed = gzip.compress(content, compresslevel=1, mtime=0)
        (calls / f"C{cycle}.1" / f"s_{lane}_{TILE}.bcl.gz").write_bytes(packed)
