"""Patterns such as `0_fastq/{sample_id}_{read}.fastq.gz`: where files lie, and what a path says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..illumina.fastq_name import FastqName, parse_fastq_name
from ..kinds import FileType

# What may stand in braces in a pattern, and what it matches when a path is read.
FIELDS: Mapping[str, str] = {
    "project": r"[^/]+",
    "sample_id": r"[^/]+?",
    "sample_name": r"[^/]+?",
    "number": r"[0-9]{1,6}",
    "lane": r"[0-9]{1,3}",
    "lane:03d": r"[0-9]{3}",
    "read": r"[RI][1-4]",
    "read_number": r"[1-4]",
    "index": r"[ACGTN+-]+|NoIndex",
    "flowcell": r"[^/]+?",
    "run": r"[^/]+",
}
_FIELD = re.compile(r"\{([^{}]*)\}")


def pattern_problem(pattern: str) -> str:
    """Return what is wrong with a pattern from the settings, "" where it can be used."""
    unknown = [field for field in _FIELD.findall(pattern) if field not in FIELDS]
    if unknown:
        return f"{{{unknown[0]}}} is not a field; known are {', '.join(FIELDS)}"
    if set("{}") & set(_FIELD.sub("", pattern)):
        return "its braces do not match"
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return "it must stay inside the run folder"
    return "" if {"sample_id", "sample_name"} & set(_FIELD.findall(pattern)) else "it names no sample"


@lru_cache(maxsize=1024)
def fields_of(pattern: str) -> frozenset[str]:
    """Return the fields that a pattern uses, such as "sample_id", "lane" and "read"."""
    return frozenset(field.partition(":")[0] for field in _FIELD.findall(pattern))


@lru_cache(maxsize=1024)
def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Return the regular expression that reads the fields of a pattern from a path inside the run."""
    *texts, rest = _FIELD.split(pattern)
    parts: list[str] = []
    seen: set[str] = set()
    for text, field in zip(texts[::2], texts[1::2], strict=True):
        group = field.partition(":")[0]
        parts += [re.escape(text), f"(?P={group})" if group in seen else f"(?P<{group}>{FIELDS[field]})"]
        seen.add(group)
    return re.compile("".join(parts) + re.escape(rest))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a run's FASTQs lie. `name` is for people: "archive", "bcl2fastq", "BCL Convert", "on-board", …

    `pattern` is for samples without a name of their own, `named_pattern` for those whose Sample_Name differs
    from their Sample_ID: bcl2fastq gives these a folder each. `reads` and `lanes` are those that were seen,
    for runs without RunInfo.xml. `readers` read the lab's own patterns.
    """

    name: str
    tool: str
    pattern: str
    named_pattern: str
    reads: tuple[str, ...] = ()
    lanes: tuple[int, ...] = ()
    readers: tuple[re.Pattern[str], ...] = ()

    @property
    def folder(self) -> str:
        """The folder above all FASTQs."""
        return self.pattern.partition("{")[0].rpartition("/")[0]

    def read_name(self, path: str) -> FastqName | None:
        """Return what a FASTQ's path says of it, by the lab's patterns or else by its base name."""
        return _read_fields(path, self.readers) or parse_fastq_name(path.rpartition("/")[2])


UNKNOWN_LAYOUT = Layout("", "", "", "")


def read_path(path: str, file_type: FileType, layout: Layout) -> FastqName | None:
    """Return what the path of a file of any type says of it, None where it says nothing."""
    if file_type.pattern:
        return _read_fields(path, (pattern_regex(file_type.pattern),))
    return layout.read_name(path)


def _read_fields(path: str, readers: Iterable[re.Pattern[str]]) -> FastqName | None:
    matches = (reader.fullmatch(path) for reader in readers)
    return next((_name_of_fields(match.groupdict()) for match in matches if match), None)


def _name_of_fields(fields: Mapping[str, str | None]) -> FastqName:
    number, lane = fields.get("number"), fields.get("lane")
    return FastqName(
        sample=fields.get("sample_id") or fields.get("sample_name") or "",
        s_number=int(number) if number else None,
        lane=int(lane) if lane else None,
        read=fields.get("read") or (f"R{fields['read_number']}" if fields.get("read_number") else ""),
        part=None,
        flowcell=fields.get("flowcell") or "",
        index=fields.get("index") or "",
    )
