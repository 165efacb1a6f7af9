"""What a step found and made, in words that people can check.

A step keeps its figures as JSON, which grows with time: any key may be absent, and one that nobody knows here
is shown by its own name.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from seqauto.models import DeliveryStep
from seqauto.models.scans import Severity
from seqauto.templatetags import looks

#: Longer lists are cut on the page; the manifest, the log and S3 hold them whole.
ROWS_SHOWN = 400
OBJECTS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    words: str
    is_path: bool = False

    @property
    def is_wide(self) -> bool:
        return self.is_path or (len(self.words) > 40 and not isinstance(self.words, SafeString))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing amiss, as a row of a table; `row` and `column` are those of the sample sheet."""

    state: looks.State
    code: str
    message: str
    remedy: str
    row: str
    column: str
    text: str


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads of one sample in one lane, of what no sample claims, or of an index that no sample has."""

    lane: str
    project: str
    name: str
    index: str
    count: int
    share: str


@dataclass(frozen=True, slots=True)
class Demultiplexing:
    total: int
    samples: list[Reads]
    undetermined: list[Reads]
    unknown: list[Reads]

    @property
    def reads_by_sample(self) -> dict[tuple[str, str], int]:
        """In all lanes together."""
        sums: dict[tuple[str, str], int] = {}
        for row in self.samples:
            sums[row.project, row.name] = sums.get((row.project, row.name), 0) + row.count
        return sums

    @property
    def empty_samples(self) -> int:
        return sum(not count for count in self.reads_by_sample.values())

    @property
    def undetermined_share(self) -> str:
        return _share(sum(row.count for row in self.undetermined), self.total)


@dataclass(frozen=True, slots=True)
class Project:
    """The FASTQs of one project code, as they lie in S3."""

    name: str
    address: str
    facts: list[Fact]
    objects: list[tuple[str, int | None, str]]
    """(key, bytes, checksum) of the first of them."""
    more: int


@dataclass(frozen=True, slots=True)
class Evidence:
    bytes: int
    """That it copied, made or uploaded."""
    facts: list[Fact]
    remarks: list[str]
    warnings: list[Problem]
    commands: list[str]
    demultiplexing: Demultiplexing | None
    projects: list[Project]
    has_manifest: bool


def evidence_of(step: DeliveryStep) -> Evidence:
    figures = step.figures if isinstance(step.figures, dict) else {}
    return Evidence(
        bytes=_bytes(figures),
        facts=_facts(figures),
        remarks=[_words(remark) for remark in _list(figures.get("remarks"))],
        warnings=problems_of(figures.get("warnings")),
        commands=[
            shlex.join(map(str, command)) for command in _list(figures.get("commands")) if _list(command)
        ],
        demultiplexing=_demultiplexing(figures.get("demultiplexing")),
        projects=[_project(row, figures.get("bucket")) for row in _rows(figures.get("projects"))],
        has_manifest=isinstance(figures.get("manifest"), str),
    )


def _bytes(figures: dict[str, Any]) -> int:
    parts = _rows(figures.get("projects")) or _rows(figures.get("files"))
    return _count(figures.get("bytes")) or sum(_count(part.get("bytes", part.get("size"))) for part in parts)


def problems_of(rows: Any) -> list[Problem]:
    """Errors first, then in the order of the sheet's rows."""
    problems = sorted(
        _rows(rows), key=lambda row: (row.get("severity") != Severity.ERROR, _count(row.get("row")))
    )
    return [_problem(row) for row in problems]


def _problem(row: dict[str, Any]) -> Problem:
    severity = row.get("severity")
    known = Severity(severity) if severity in Severity.values else Severity.ERROR
    texts = {key: _words(row.get(key)) for key in ("code", "message", "remedy", "row", "column", "text")}
    return Problem(looks.state_of(known), **texts)


# --- Facts ---------------------------------------------------------------------------------------------


def _facts(figures: dict[str, Any]) -> list[Fact]:
    known = [
        Fact(label, tell(figures[key]), key in PATHS)
        for key, (label, tell) in KNOWN.items()
        if figures.get(key)
    ]
    others = [
        Fact(looks.code_words(key), _words(value))
        for key, value in figures.items()
        if key not in KNOWN and key not in SHOWN_APART and not isinstance(value, dict | list)
    ]
    return [fact for fact in known + others if fact.words]


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _joined(value: Any) -> str:
    return ", ".join(map(str, _list(value))) if isinstance(value, list) else _words(value)


def _size(value: Any) -> str:
    return looks.size(value) if isinstance(value, int) else _words(value)


def _files(value: Any) -> str:
    """How many; a list of files tells how large they are together too."""
    if not isinstance(value, list):
        return looks.thousands(value) if isinstance(value, int) else _words(value)
    total = sum(_count(row.get("size")) for row in _rows(value))
    return f"{len(value):,}, {looks.size(total)}"


def _submission(row: dict[str, Any]) -> str:
    """`MUSCLE to AWS Batch, queue exomes, job 9a1f…`"""
    to = "AWS Batch" if row.get("kind") == "batch" else _words(row.get("task"))
    queue = _words(row.get("job_queue") or row.get("queue"))
    return f"{_words(row.get('project'))} to {to}, queue {queue}, job {_words(row.get('receipt'))}"


def _moment(value: Any) -> str:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
        return looks.when_exactly(moment) if moment and moment.tzinfo else _words(value)
    except ValueError:
        return _words(value)


#: Key of the figures: (label, how it is told), in the order in which people ask.
KNOWN: dict[str, tuple[str, Callable[[Any], str]]] = {
    "converter": ("Converter", _words),
    "version": ("Version", _words),
    "adopted": ("Adopted", lambda _value: "demultiplexed by the instrument"),
    "files": ("Files", _files),
    "bytes": ("Size", _size),
    "markers": ("Markers", _joined),
    "completion": ("The instrument says", _words),
    "first_seen": ("First seen so", _moment),
    "last_seen": ("Last seen so", _moment),
    "algorithm": ("Verified by", _words),
    "verified_at": ("Verified", _moment),
    "already_there": ("Found there already", lambda _value: "with equal content"),
    "bucket": ("Bucket", _words),
    "left_out": ("Left out", _words),
    "sheet_sha256": ("Sample sheet, SHA-256", _words),
    "submissions": ("Handed over", lambda rows: "; ".join(map(_submission, _rows(rows))) or "nothing"),
    "folder": ("Folder", _words),
    "manifest_sha256": ("Manifest, SHA-256", _words),
    "listing": ("Digest of its listing", _words),
}
PATHS = {"folder", "listing", "manifest_sha256", "sheet_sha256"}
SHOWN_APART = {
    "commands", "demultiplexing", "manifest", "projects", "remarks", "run_listing", "seconds",
    "verified_stamp", "warnings",
}  # fmt: skip


# --- Reads and projects --------------------------------------------------------------------------------


def _demultiplexing(figures: Any) -> Demultiplexing | None:
    if not isinstance(figures, dict) or not figures:
        return None
    samples, undetermined, unknown = (
        _rows(figures.get(key)) for key in ("samples", "undetermined", "unknown")
    )
    total = _count(figures.get("total")) or sum(_count(row.get("reads")) for row in samples + undetermined)
    return Demultiplexing(
        total, *([_reads(row, total) for row in rows] for rows in (samples, undetermined, unknown))
    )


def _reads(row: dict[str, Any], total: int) -> Reads:
    lane, project, name, index = (_words(row.get(key)) for key in ("lane", "project", "sample_id", "index"))
    count = _count(row.get("reads"))
    return Reads(lane, project, name, index, count, _share(count, total))


def _share(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f}\u00a0%" if whole else looks.NOTHING


def _project(row: dict[str, Any], bucket: Any) -> Project:
    address = "/".join(part for part in (_words(bucket), _words(row.get("prefix"))) if part)
    objects = _rows(row.get("objects"))
    told = {
        "Files": _files(_without_meta(row.get("files"), objects)),
        "Size": _size(row.get("bytes")),
        "Verified by": _words(row.get("verified_by")),
        "Uploaded": _moment(row.get("uploaded_at")),
    }
    return Project(
        name=_words(row.get("project")),
        address=f"s3://{address}",
        facts=[Fact(label, words) for label, words in told.items() if words],
        objects=[
            (_words(each.get("key")), _count(each.get("size")), _words(each.get("checksum")))
            for each in objects[:OBJECTS_SHOWN]
        ],
        more=max(0, len(objects) - OBJECTS_SHOWN),
    )


def _without_meta(files: Any, objects: list[dict[str, Any]]) -> Any:
    """How many FASTQs: the object that tells of them is none."""
    metas = sum(_words(each.get("key")).endswith("/meta.json") for each in objects)
    return files - metas if isinstance(files, int) else files


# --- JSON that may be anything -------------------------------------------------------------------------


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in _list(value) if isinstance(row, dict)]


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
