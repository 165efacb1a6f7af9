"""What people should know about a run or a scan: said once, kept open until a scan finds it gone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from sequencing.illumina.errors import Problem

from .models import Message, Scan, SequencingRun


@dataclass(frozen=True, slots=True)
class Notice:
    """A message before it is written. An event ("moved from …") needs nobody and is born closed."""

    severity: str
    code: str
    text: str
    remedy: str = ""
    place: str = ""
    is_event: bool = False

    @property
    def key(self) -> str:
        return hashlib.sha256("\n".join([self.code, self.place, self.text]).encode()).hexdigest()


def from_problems(problems: Iterable[Problem], file: str) -> list[Notice]:
    """One notice a kind of problem: the first in full, and how many more; the run's page lists them all."""
    kinds: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[problem.severity, problem.code].append(problem)
    return [_from_kind(severity, code, alike, file) for (severity, code), alike in kinds.items()]


def _from_kind(severity: str, code: str, alike: Sequence[Problem], file: str) -> Notice:
    first, more = alike[0], len(alike) - 1
    place = [file]
    if first.row is not None:
        place.append(f"row {first.row}")
    if first.column:
        place.append(f"column {first.column}")
    found = f" (found: {first.text})" if first.text and first.text not in first.message else ""
    text = first.message.removesuffix(".") + found + (f". And {more} more of this kind." if more else ".")
    return Notice(severity, code, text, first.remedy, ", ".join(place))


def say(
    scan: Scan, run: SequencingRun | None, notices: Iterable[Notice], *, is_new_run: bool = False
) -> None:
    """Make the open messages of a run (or, without one, of scans) exactly `notices`.

    What is still open stays as it is, with the date it was first said; what is gone is closed by this scan.
    """
    wanted = {notice.key: notice for notice in notices}
    still_open = set()
    gone = []
    current = [] if is_new_run else Message.objects.open().filter(run=run).values_list("pk", "key")
    for pk, key in current:
        if key in wanted:
            still_open.add(key)
        else:
            gone.append(pk)
    now = timezone.now()
    if gone:
        Message.objects.filter(pk__in=gone).update(closed_at=now, closed_by_scan=scan)
    Message.objects.bulk_create(
        Message(
            scan=scan,
            run=run,
            severity=notice.severity,
            code=notice.code,
            text=notice.text,
            remedy=notice.remedy,
            place=notice.place[:255],
            key=key,
            opened_at=now,
            closed_at=now if notice.is_event else None,
            closed_by_scan=scan if notice.is_event else None,
        )
        for key, notice in wanted.items()
        if key not in still_open
    )
