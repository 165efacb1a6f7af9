"""What happened to a run: what people and rules changed of it, and what scans saw, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F

from seqauto.models import AuditEntry, Scan, SequencingRun

ENTRIES_READ = 500
"""Of the audit and of messages so many each, the newest: more than a run gathers in years."""
LINES_SHOWN = 6


@dataclass(slots=True)
class Entry:
    """Something that a person, a rule or a scan did: `audit` tells a change, `lines` what a scan saw."""

    at: datetime
    who: str
    look: str
    audit: AuditEntry | None = None
    scan: Scan | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def shown(self) -> list[str]:
        return self.lines[:LINES_SHOWN]

    @property
    def more(self) -> int:
        return len(self.lines) - len(self.shown)


def history_of(run: SequencingRun) -> list[Entry]:
    told = sorted([*_by_people(run), *_by_scans(run)], key=lambda entry: entry.at)
    return told[::-1]


def _by_people(run: SequencingRun) -> Iterator[Entry]:
    entries = AuditEntry.objects.filter(kind=SequencingRun._meta.model_name, key=run.pk).newest_first()
    for entry in entries[:ENTRIES_READ]:
        yield Entry(entry.at, entry.who, "person" if entry.is_person else "gear", audit=entry)


def _by_scans(run: SequencingRun) -> list[Entry]:
    """One entry a scan that saw something new."""
    entries: dict[int | None, Entry] = {}
    for at, scan, line in _seen(run):
        key = scan.pk if scan else None
        who = str(scan) if scan else "A scan"
        entries.setdefault(key, Entry(at, who, "hdd", scan=scan)).lines.append(line)
    if run.last_scan and run.last_scan_id not in entries:
        at = run.last_scan.ended_at or run.updated_at
        entries[run.last_scan_id] = Entry(
            at, str(run.last_scan), "hdd", scan=run.last_scan, lines=["Read anew."]
        )
    return list(entries.values())


def _seen(run: SequencingRun) -> Iterator[tuple[datetime, Scan | None, str]]:
    """(when, by which scan, what) of all that scans wrote down of it."""
    yield run.created_at, run.first_scan, "First seen."
    sheets = run.sample_sheets.defer("content", "problems").select_related("scan__started_by")
    for sheet in sheets.order_by("version"):
        words = f": {sheet.change}" if sheet.change else ""
        yield sheet.seen_at, sheet.scan, f"Sample sheet, version {sheet.version}{words}"
    messages = run.messages.select_related("scan__started_by", "closed_by_scan__started_by")
    for message in messages.order_by(F("closed_at").desc(nulls_first=True), "-pk")[:ENTRIES_READ]:
        is_event = message.closed_at == message.opened_at
        yield message.opened_at, message.scan, message.text if is_event else f"Opened: {message.text}"
        if message.closed_at and not is_event:
            yield message.closed_at, message.closed_by_scan, f"Closed: {message.text}"
