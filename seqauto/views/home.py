"""Today: what needs a person, what runs, what came last; what people ask when they come in at seven."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING
from zlib import crc32

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from seqauto import needs, today, today_runs
from seqauto import scans as scan_story
from seqauto import storage as storage_story
from seqauto.models import Delivery, DiskReading, IncomingFolder, Scan
from seqauto.models.deliveries import StepKind
from seqauto.models.scans import ScanStatus
from seqauto.server_status import WorkerState, worker_states
from seqauto.tasks.schedule import next_scheduled_at
from seqauto.templatetags import looks
from seqauto.templatetags.delivery_looks import busy_step

from . import PageRequest, home_problems
from .home_problems import May, Problem
from .home_rows import DOING, latest_rows
from .progress import Progress, progress_of
from .storage import STALE, Running, judged

if TYPE_CHECKING:
    from seqauto.today_runs import ToldRun

PROBLEMS_SHOWN = 8
CASES_SHOWN_AT_LEAST = 4
FULL_SOON = timedelta(days=90)


@require_safe
def home(request: PageRequest) -> HttpResponse:
    now, may = timezone.now(), May(request)
    folders = list(IncomingFolder.objects.all())
    runs, scans = today_runs.runs(now), today.scans()
    deliveries = today.deliveries(now, folders, runs.latest + runs.troubled)
    workers, readings = worker_states(), storage_story.latest_readings()
    running = judged(deliveries.growing, readings, _copied_to())
    full_on = _full_on(tuple((reading.pk, reading.at) for reading in readings))
    disks = [_disk(reading, full_on.get(reading.path), now) for reading in readings]
    cases = _cases(runs, deliveries, may)
    others = [
        *_groups(deliveries.counts),
        *home_problems.of_scans(scans.ended, scans.live, may),
        *(of_workers := home_problems.of_workers(workers, may)),
        *home_problems.of_folders(needs.incoming_folders(folders), workers_are_well=not of_workers),
        *home_problems.of_disks([disk.low for disk in disks if disk.low], running),
        *home_problems.of_removals(*_removals(deliveries.counts)),
    ]
    room = max(PROBLEMS_SHOWN - len(others), CASES_SHOWN_AT_LEAST)
    more = _more(cases[room:], runs, deliveries)
    older = Older(runs.counts["older"], deliveries.counts["older"], _day_before(runs.older_than))
    context = {
        "clock": clock(now),
        "greeting": greeting(now),
        "verdict": verdict(len(cases[:room]) + len(others) + sum(more.values()), bool(older)),
        "news": news(today_runs.arrivals(runs, deliveries), now),
        "problems": sorted([*cases[:room], *others], key=_bad_first),
        "more": more,
        "older": older,
        "since": timezone.localtime(runs.older_than).date(),
        "live": _live_part(scans, deliveries, now),
        "workers": _workers(workers),
        "may": may,
        "at_work": sum(len(worker.active) for worker in workers),
        "disks": disks,
        "all_stale": bool(disks) and all(disk.is_stale for disk in disks),
        "first_full": min((disk for disk in disks if disk.full_on), key=_when_full, default=None),
        "fit": _fit(running),
        "rows": latest_rows(runs.latest, deliveries, now),
        "is_empty": not (runs.latest or deliveries.counts["all"]),
        "roots": settings.SEQAUTO_SCAN_ROOTS,
        "incoming": settings.SEQAUTO_INCOMING_DIRS,
    }
    return render(request, "home/today.html", context)


# --- The first lines -----------------------------------------------------------------------------------

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def in_words(count: int) -> str:
    """`two`, `1,204`."""
    return _WORDS[count] if count < len(_WORDS) else f"{count:,}"


def clock(now: datetime) -> str:
    """`Saturday 21 November, 07:02`, the lab's, with the exact value on hover."""
    here = timezone.localtime(now)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        here.isoformat(timespec="seconds"),
        f"{here:%A} {here.day} {here:%B %Y, %H:%M:%S %Z}",
        f"{here:%A} {here.day} {here:%B, %H:%M}",
    )


def greeting(now: datetime) -> str:
    hour = timezone.localtime(now).hour
    if 4 <= hour < 12:
        return "Good morning."
    return "Good afternoon." if 12 <= hour < 18 else "Good evening."


def verdict(count: int, something_is_older: bool) -> str:
    if not count:
        return "Nothing new needs you." if something_is_older else "Nothing needs you."
    if count == 1:
        return "One thing needs a person."
    return f"{in_words(count).capitalize()} things need a person."


def news(arrivals: today_runs.Arrivals, now: datetime) -> str:
    """`two runs ended in the night, 120 samples`."""
    when = "in the night" if today.is_morning(now) else "today"
    verbs = {"ended": arrivals.ended, "reached the archive": arrivals.found}
    verb = " or ".join(word for word, count in verbs.items() if count) or "ended"
    runs = f"{in_words(arrivals.runs)} {'run' if arrivals.runs < 2 else 'runs'} {verb} {when}"
    at_least = "at least " if arrivals.unknown else ""
    return f"{runs}, {at_least}{looks.plural(arrivals.samples, 'sample')}" if arrivals.samples else runs


# --- What needs a person -------------------------------------------------------------------------------


def _bad_first(problem: Problem) -> str:
    return problem.look  # "bad", "warn"


def _cases(runs: today_runs.Runs, deliveries: today.Deliveries, may: May) -> list[Problem]:
    """Runs and deliveries by turns, for many of one kind must not hide the other.

    A run and its delivery that wait for the same sample sheet are one case.
    """
    delivery_of = {one.identity: one for one in deliveries.of_runs}
    pairs = [(run, delivery_of.get(run.identity or "")) for run in runs.troubled]
    of_sheets = {delivery.pk for run, delivery in pairs if delivery and _is_one_case(run, delivery)}
    of_runs = [home_problems.of_run(run, delivery, may) for run, delivery in pairs]
    others = [delivery for delivery in deliveries.waiting if delivery.pk not in of_sheets]
    of_deliveries = [home_problems.of_delivery(delivery, may) for delivery in others]
    return [case for turn in zip_longest(of_runs, of_deliveries) for case in turn if case]


def _is_one_case(run: ToldRun, delivery: Delivery) -> bool:
    return run.has_sheet_errors and home_problems.is_stopped_at(delivery, StepKind.CONVERT)


def _groups(counts: dict[str, int]) -> list[Problem]:
    """Of which there may be many, of one cause."""
    groups = {home_problems.unrecognised: counts["unrecognised"], home_problems.stranded: counts["stranded"]}
    return [problem_of(count) for problem_of, count in groups.items() if count]


def _removals(counts: dict[str, int]) -> tuple[int, int]:
    return counts["proposed"] if settings.SEQAUTO_CLEAN_UP_APPROVAL else 0, counts["stopped"]


def _more(beyond: Sequence[Problem], runs: today_runs.Runs, deliveries: today.Deliveries) -> dict[str, int]:
    """How many cases of each kind are not shown: those beyond the last, and those that were not fetched."""
    kinds = Counter(problem.kind for problem in beyond)
    return {
        "runs": kinds["run"] + runs.counts["troubled"] - len(runs.troubled),
        "deliveries": kinds["delivery"] + deliveries.counts["waiting"] - len(deliveries.waiting),
    }


@dataclass(frozen=True, slots=True)
class Older:
    """What has needed a person for longer than the page tells of; of runs, those up to a day."""

    runs: int
    deliveries: int
    until: date

    def __bool__(self) -> bool:
        return bool(self.runs or self.deliveries)


def _day_before(moment: datetime) -> date:
    return timezone.localtime(moment).date() - timedelta(days=1)


# --- Workers and disks ---------------------------------------------------------------------------------


def _workers(workers: Sequence[WorkerState]) -> looks.State:
    alive = sum(worker.word == "alive" for worker in workers)
    if not workers:
        return looks.State("None is expected", "idle")
    worst = "bad" if any(worker.look == "bad" for worker in workers) else "warn"
    is_well = not any(worker.needs_a_person for worker in workers)
    return looks.State(f"{alive} of {len(workers)} alive", "ok" if is_well else worst)


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk by its last reading; `full_on` is None where it does not fill up soon, or nobody can say."""

    path: str
    uses: str
    percent: int
    free: int
    low: str
    is_stale: bool
    full_on: datetime | None


def _disk(reading: DiskReading, full_on: datetime | None, now: datetime) -> Disk:
    return Disk(
        path=reading.path,
        uses=_uses(reading),
        percent=round(100 * (1 - reading.free / reading.total)) if reading.total else 100,
        free=reading.free,
        low=storage_story.low_space(
            reading, settings.SEQAUTO_LOW_SPACE_PERCENT, settings.SEQAUTO_LOW_SPACE_GB
        ),
        is_stale=now - reading.at > STALE,
        full_on=full_on if full_on and full_on < now + FULL_SOON else None,
    )


def _when_full(disk: Disk) -> datetime:
    return disk.full_on or datetime.max.replace(tzinfo=UTC)


@lru_cache(maxsize=2)
def _full_on(_newest: tuple[tuple[int, datetime], ...]) -> dict[str, datetime | None]:
    """When each disk is full; asked once a reading, for four weeks of them are a lot to look through."""
    now = timezone.now()
    histories = storage_story.histories(now)
    return {path: storage_story.forecast(history, now) for path, history in histories.items()}


def _uses(reading: DiskReading) -> str:
    """`Incoming and backups`: what lies on it, as the settings have it."""
    named = dict.fromkeys(needs.configured(), "incoming")
    named |= {str(folder): "backups" for folder in (settings.SEQAUTO_BACKUP_DIR,) if folder}
    named |= {str(folder): "FASTQs" for folder in (settings.SEQAUTO_FASTQ_DIR,) if folder}
    named |= {str(root): "archive" for root in settings.SEQAUTO_SCAN_ROOTS}
    uses = list(
        dict.fromkeys(named[folder] for folder in reading.folders or [reading.path] if folder in named)
    )
    words = " and ".join(filter(None, [", ".join(uses[:-1]), *uses[-1:]]))
    return words[:1].upper() + words[1:]


def _copied_to() -> list[str]:
    return [str(folder) for folder in (settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR) if folder]


def _fit(running: Sequence[Running]) -> str:
    """Whether what instruments write now will fit; "" where nobody knows or nothing runs."""
    known = [run for run in running if run.fits is not None]
    if not known or not all(run.fits for run in known):
        return ""
    return "the run being sequenced fits" if len(known) == 1 else f"{len(known)} runs being sequenced fit"


# --- What changes while one looks ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LivePart:
    """The scan and the deliveries that are under way; another `mark` means that the page is out of date."""

    mark: str
    progress: Progress | None
    stage: looks.State | None
    ended: Scan | None
    ended_state: looks.State | None
    success: Scan | None
    next_at: datetime | None
    disabled: str
    deliveries: today.Deliveries

    @property
    def is_live(self) -> bool:
        return self.progress is not None or bool(self.deliveries.counts["in_hand"])

    @property
    def waiting(self) -> int:
        """For a person."""
        return self.deliveries.counts["waiting"]

    @property
    def said(self) -> str:
        """For screen readers, which hear it only when it changes: no running figures."""
        return f"{self.progress.said if self.progress else 'No scan is running'}; {self.in_hand.word}"

    @property
    def in_hand(self) -> looks.State:
        """`1 uploading, 1 converting`."""
        count, shown = self.deliveries.counts["in_hand"], self.deliveries.in_hand
        if not count:
            return looks.State("None in hand", "idle")
        if count > len(shown):
            return looks.State(f"{count:,} in hand", "run")
        steps = [busy_step(delivery) for delivery in shown]
        doing = Counter(DOING[StepKind(step.kind)] if step else "between two steps" for step in steps)
        return looks.State(", ".join(f"{number} {word}" for word, number in doing.items()), "run")


def _live_part(scans: today.Scans, deliveries: today.Deliveries, now: datetime) -> LivePart:
    progress = progress_of(scans.live) if scans.live else None
    steps = [(step.pk, step.state) for one in deliveries.in_hand for step in one.steps.all()]
    facts = (progress and progress.mark, scans.ended and scans.ended.pk, deliveries.counts, steps)
    return LivePart(
        mark=f"{crc32(repr(facts).encode()):08x}",
        progress=progress,
        stage=_stage(progress) if progress else None,
        ended=scans.ended,
        ended_state=_ended_state(scans.ended) if scans.ended else None,
        success=scans.success,
        next_at=next_scheduled_at(now),
        disabled=scan_story.why_disabled(),
        deliveries=deliveries,
    )


def _stage(progress: Progress) -> looks.State:
    status = ScanStatus(progress.scan.status)
    return looks.state_of(status, "Waits" if status == ScanStatus.CREATED else "")


def _ended_state(scan: Scan) -> looks.State:
    word = "Finished" if scan.status == ScanStatus.FINISHED else "Stopped"
    at = looks.compact_time(scan.ended_at) if scan.ended_at else ""
    return looks.state_of(ScanStatus(scan.status), f"{word} {at}")


@require_safe
def home_live(request: HttpRequest) -> HttpResponse:
    """The cards of scan and deliveries; the page fetches itself anew when a state has changed."""
    now = timezone.now()
    deliveries = today.deliveries_in_hand(now, list(IncomingFolder.objects.all()))
    live = _live_part(today.scans(), deliveries, now)
    response = render(request, "home/live.html", {"live": live})
    if request.GET.get("seen") != live.mark:
        response["HX-Trigger-After-Settle"] = "today-moved-on"
    return response
