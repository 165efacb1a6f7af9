"""How values look to people: states with sign, colour and word, times, durations, numbers.

Tables use these as functions, templates as filters and tags.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from seqauto import dates
from seqauto.models import Removal, SequencingFile, SequencingRun
from seqauto.models.clean_up import RemovalState
from seqauto.models.deliveries import DeliveryState, StepState
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanStatus, Severity
from sequencing.compare import is_empty_fastq
from sequencing.layout import FoundFile

register = template.Library()

NOTHING = "–"

#: A look is a colour of seqauto.css; each has one sign, so that colour never speaks alone.
SIGNS = {
    "ok": "check-circle-fill",
    "warn": "exclamation-triangle-fill",
    "bad": "x-octagon-fill",
    "run": "arrow-repeat",
    "wait": "hourglass-split",
    "info": "info-circle",
    "idle": "dash-circle",
}

LOOKS: dict[type[TextChoices], dict[str, str]] = {  # by type: members that spell the same are equal
    ScanStatus: {
        ScanStatus.CREATED: "wait",
        ScanStatus.SCANNING_FILES: "run",
        ScanStatus.CREATE_MODELS: "run",
        ScanStatus.SCRIPTS_AND_JOBS: "run",
        ScanStatus.FINISHED: "ok",
        ScanStatus.ERROR: "bad",
    },
    RunState: {
        RunState.COMPLETE: "ok",
        RunState.INCOMPLETE: "warn",
        RunState.RUNNING: "run",
        RunState.NOTHING_EXPECTED: "idle",
        RunState.SKIPPED: "idle",
        RunState.ERROR: "bad",
        RunState.DELETED: "bad",
        RunState.NOT_SCANNED: "idle",
    },
    DataState: {
        DataState.COMPLETE: "ok",
        DataState.NON_EXISTENT: "bad",
        DataState.DELETED: "bad",
        DataState.RUNNING: "run",
        DataState.SKIPPED: "idle",
        DataState.ERROR: "bad",
    },
    DeliveryState: {
        DeliveryState.SEQUENCING: "run",
        DeliveryState.STALLED: "warn",
        DeliveryState.SETTLING: "wait",
        DeliveryState.DELIVERING: "run",
        DeliveryState.WAITING: "bad",
        DeliveryState.HELD: "idle",
        DeliveryState.DELIVERED: "ok",
        DeliveryState.RUN_FAILED: "bad",
        DeliveryState.CONFLICT: "bad",
        DeliveryState.UNRECOGNISED: "warn",
        DeliveryState.GONE: "idle",
    },
    StepState: {
        StepState.WAITING: "idle",
        StepState.QUEUED: "wait",
        StepState.RUNNING: "run",
        StepState.DONE: "ok",
        StepState.FAILED: "bad",
    },
    RemovalState: {
        RemovalState.PROPOSED: "wait",
        RemovalState.APPROVED: "wait",
        RemovalState.QUARANTINED: "wait",
        RemovalState.REMOVING: "run",
        RemovalState.REMOVED: "idle",
        RemovalState.PUT_BACK: "idle",
        RemovalState.STOPPED: "bad",
    },
    Severity: {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "info"},
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class State:
    """A word with its look, and the reason in words where there is one."""

    word: str
    look: str
    reason: str = ""

    def __html__(self) -> str:
        return sign(self.look, self.word, self.reason)

    def __str__(self) -> str:
        return self.__html__()


def sign(look: str, word: str, reason: str = "") -> SafeString:
    """A state: sign, colour, word; the reason on hover and for screen readers."""
    reason = printable(reason)
    said = format_html('<span class="visually-hidden">: {}</span>', reason) if reason else ""
    return format_html(
        '<span class="state {}" title="{}"><i class="bi bi-{}" aria-hidden="true"></i>{}{}</span>',
        look,
        reason,
        SIGNS[look],
        word,
        said,
    )


def state_of(choice: TextChoices, word: str = "", reason: str = "") -> State:
    return State(word or str(choice.label), LOOKS[type(choice)][choice], reason)


def plural(count: int, noun: str) -> str:
    """`1 run`, `1,204 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


register.filter("plural", plural)


@register.filter
def run_state(run: SequencingRun) -> State:
    state = RunState(run.state)
    if state == RunState.INCOMPLETE:
        return state_of(state, f"{plural(run.files_missing, 'FASTQ')} missing")
    return state_of(state)


@register.filter
def removal_state(removal: Removal) -> State:
    """One that never left its place was withdrawn, not put back."""
    was_withdrawn = removal.state == RemovalState.PUT_BACK and removal.quarantined_at is None
    return state_of(RemovalState(removal.state), "Withdrawn" if was_withdrawn else "")


@register.filter
def severity_state(severity: str) -> State:
    return state_of(Severity(severity))


@register.filter
def file_state(file: SequencingFile) -> State:
    """The size where a file is there, else the word for what it is instead."""
    state = DataState(file.data_state)
    if state == DataState.NON_EXISTENT:
        return state_of(state, "missing", "expected, never seen")
    if state == DataState.DELETED:
        return state_of(state, "deleted", "was here, gone")
    if state != DataState.COMPLETE or file.size is None:
        return state_of(state, state.label.lower())
    if file.file_type == "fastq" and is_empty_fastq(FoundFile(file.path, file.size, 0)):
        return State("empty", "warn", f"0 reads, {file.size} bytes")
    return State(size(file.size), "ok", f"{file.size:,} bytes")


@register.simple_tag
def state(look: str, word: str, reason: str = "") -> SafeString:
    return sign(look, word, reason)


@register.filter
def thousands(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


@register.filter
def figure(number: float | None) -> str:
    """A number with as many decimals as it has: `1,204`, `2.75`."""
    return NOTHING if number is None else f"{number:,}"


@register.filter
def size(count: int | None) -> str:
    """Bytes in powers of 1,000, as disks are sold: `31 B`, `9.8 GB`, `412 MB`."""
    if count is None:
        return NOTHING
    amount, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while amount >= 999.5 and unit != "TB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:,.1f}\u00a0{unit}" if amount < 9.95 and unit != "B" else f"{amount:,.0f}\u00a0{unit}"


@register.filter
def duration(span: timedelta | None) -> str:
    """The two largest units: `4 s`, `2 m 11 s`, `3 h 5 m`, `2 d 4 h`."""
    if span is None:
        return NOTHING
    seconds = max(0, int(span.total_seconds()))
    if not seconds:
        return "under 1 s"
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    first = next(place for place, (amount, _unit) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


@register.filter
def ago(moment: datetime | None) -> str:
    """`just now`, `58 minutes ago`, `3 days ago`."""
    if moment is None:
        return "never"
    minutes = int((timezone.now() - moment).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{plural(minutes, 'minute')} ago"
    if minutes < 48 * 60:
        return f"{plural(minutes // 60, 'hour')} ago"
    return f"{plural(minutes // 1440, 'day')} ago"


def compact_time(moment: datetime, beside: datetime | None = None, clock: str = "%H:%M") -> str:
    """As short as the distance allows, in the lab's zone: `06:00`, `Fri 06:00`, `2 Nov 2025 06:00`.

    A time that stands `beside` another of the same day needs no day.
    """
    here, today = timezone.localtime(moment), timezone.localtime()
    if here.date() == (timezone.localtime(beside) if beside else today).date():
        return f"{here:{clock}}"
    if abs((today.date() - here.date()).days) < 7:
        return f"{here:%a {clock}}"
    year = "" if here.year == today.year else f" {here.year}"
    return f"{here.day} {here:%b}{year} {here:{clock}}"


@register.filter
def when_exactly(moment: datetime | None) -> str:
    return when(moment, clock="%H:%M:%S")


@register.filter
def when(moment: datetime | None, beside: datetime | None = None, clock: str = "%H:%M") -> str:
    """A compact time whose exact value is told on hover and to screen readers."""
    if moment is None:
        return NOTHING
    here = timezone.localtime(moment)
    exact = f"{here:%A} {here.day} {here:%B %Y, %H:%M:%S %Z}"
    return format_html(
        '<time datetime="{}" title="{}"><span aria-hidden="true">{}</span>'
        '<span class="visually-hidden">{}</span></time>',
        here.isoformat(timespec="seconds"),
        exact,
        compact_time(moment, beside, clock),
        exact,
    )


@register.filter
def day(date: Any) -> str:
    """`20 Nov 2026`."""
    return dates.day(date) if date else NOTHING


@register.simple_tag
def found_bar(found: int, expected: int, wide: bool = False) -> str:
    """Files found of those expected, as a bar with its numbers."""
    if not expected:
        return NOTHING
    return format_html(
        '<span class="found{}"><progress class="bar {}" value="{}" max="{}" aria-hidden="true"></progress>'
        '<span class="num">{} / {}</span></span>',
        " wide" if wide else "",
        "ok" if found >= expected else "part",
        found,
        expected,
        f"{found:,}",
        f"{expected:,}",
    )


@register.simple_tag
def changes(appeared: int, vanished: int, changed: int) -> SafeString:
    """`+288 −0 ~3`, in words for hover and screen readers."""
    if not (appeared or vanished or changed):
        return format_html('<span class="text-body-secondary">{}</span>', "none")
    words = f"{appeared:,} appeared, {vanished:,} vanished, {changed:,} changed"
    return format_html(
        '<span class="text-nowrap" title="{}"><span aria-hidden="true">+{} −{} ~{}</span>'
        '<span class="visually-hidden">{}</span></span>',
        words,
        f"{appeared:,}",
        f"{vanished:,}",
        f"{changed:,}",
        words,
    )


@register.filter
def printable(text: object) -> str:
    r"""Text from disks and sheets with control and direction characters spelled out, `\x1b` for an escape."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), str(text))


@register.filter
def printable_lines(text: str) -> str:
    """As `printable`, line by line."""
    return "\n".join(printable(line) for line in text.splitlines())


@register.filter
def code_words(code: str) -> str:
    """A code as a heading: `empty_fastq` is "Empty FASTQ"."""
    words = code.replace("_", " ").replace("fastq", "FASTQ")
    return words[:1].upper() + words[1:]
