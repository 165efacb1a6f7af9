"""Names of FASTQ files, as converters write them and as archives keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_NAME = 255

_END = r"_(?P<read>[RI][1-9])(?:_(?P<part>[0-9]{3}))?\.(?:fastq|fq)(?:\.(?:gz|bz2|ora))?"
_LANE = r"_L(?P<lane>[0-9]{3})"
_FORMS = tuple(
    re.compile(form + _END)
    for form in (
        # bcl2fastq and BCL Convert: NA12878_S1_L001_R1_001, without lane splitting NA12878_S1_R1_001
        rf"(?P<sample>[^_].*)_S(?P<s_number>[0-9]{{1,6}})(?:{_LANE})?",
        # archives: NA12878_HGVMTBGX5_ACGTACGT-TTGGCCAA_L001_R1; CASAVA: NA12878_ACGTAC_L001_R1_001
        r"(?P<sample>[^_].*?)(?:_(?P<flowcell>[0-9]{9}-[A-Z0-9]{5}|(?=[0-9]{0,8}[A-Z])[A-Z0-9]{9}))?"
        rf"_(?P<index>[ACGTN]{{4,}}(?:[-+][ACGTN]{{4,}})?|NoIndex|Undetermined)(?:{_LANE})?",
        # by hand: NA12878_L001_R1, NA12878_R1
        rf"(?P<sample>[^_].*?)(?:{_LANE})?",
    )
)


@dataclass(frozen=True, slots=True)
class FastqName:
    """The parts of a FASTQ's base name. What a name does not say is None or "".

    `read` is R1, R2, I1, I2, …; `sample` is the Sample_ID or Sample_Name that stands in the name.
    """

    sample: str
    s_number: int | None
    lane: int | None
    read: str
    part: int | None
    flowcell: str = ""
    index: str = ""


def parse_fastq_name(name: str) -> FastqName | None:
    """Return the parts of a FASTQ's base name, or None where it is not one."""
    if len(name) > LONGEST_NAME or "/" in name:
        return None
    match = next((match for form in _FORMS if (match := form.fullmatch(name))), None)
    if not match:
        return None
    parts = match.groupdict()
    return FastqName(
        sample=parts["sample"],
        s_number=_number(parts.get("s_number")),
        lane=_number(parts["lane"]),
        read=parts["read"],
        part=_number(parts["part"]),
        flowcell=parts.get("flowcell") or "",
        index=parts.get("index") or "",
    )


def fastq_name(sample: str, s_number: int, lane: int | None, read: str) -> str:
    """Return the name that a converter gives: lane None means that lanes were not split."""
    lane_part = "" if lane is None else f"_L{lane:03d}"
    return f"{sample}_S{s_number}{lane_part}_{read}_001.fastq.gz"


def _number(text: str | None) -> int | None:
    return int(text) if text else None
