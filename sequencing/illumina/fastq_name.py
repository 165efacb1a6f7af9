"""Names of FASTQ files, as converters write them and as archives keep them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FastqName:
    """The parts of a FASTQ's base name. What a name does not say is None or ""."""

    sample: str
    s_number: int | None
    lane: int | None
    read: str
    part: int | None
    flowcell: str = ""
    index: str = ""


def parse_fastq_name(name: str) -> FastqName | None:
    """Return the parts of a FASTQ's base name, or None where it is not one."""
    raise NotImplementedError


def fastq_name(sample: str, s_number: int, lane: int | None, read: str) -> str:
    """Return the name that a converter gives: lane None means that lanes were not split."""
    lane_part = "" if lane is None else f"_L{lane:03d}"
    return f"{sample}_S{s_number}{lane_part}_{read}_001.fastq.gz"
