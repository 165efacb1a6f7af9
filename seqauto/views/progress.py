"""What people see of a scan at work: its stages, how far it is, how long it will take."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from seqauto.models import Scan
from seqauto.models.scans import ScanStatus
from seqauto.templatetags.looks import SIGNS, duration, plural

#: A worker takes a waiting scan within a second; after so long none is listening.
WORKER_PATIENCE = timedelta(seconds=20)

STAGES = (ScanStatus.SCANNING_FILES, ScanStatus.CREATE_MODELS, ScanStatus.SCRIPTS_AND_JOBS)


@dataclass(frozen=True, slots=True)
class Stage:
    """One chip of the progress strip."""

    name: str
    look: str  # "" where the stage is off, was left out, or is still to come
    took: str

    @property
    def sign(self) -> str:
        return SIGNS[self.look]


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress strip of one scan."""

    scan: Scan
    title: str
    note: str
    stages: list[Stage]
    figures: str
    left: str
    done: int | None
    total: int | None

    @property
    def is_live(self) -> bool:
        """Whether there is more to come, so that the page goes on asking."""
        return self.scan.ended_at is None

    @property
    def mark(self) -> str:
        """What the page saw last; another mark means that its tables are out of date."""
        return f"{self.scan.pk}-{self.scan.status}"

    @property
    def said(self) -> str:
        """For screen readers, which hear it only when it changes: no running figures."""
        return f"{self.title}: {self.scan.get_status_display()}"


def progress_of(scan: Scan, ahead: Scan | None = None) -> Progress:
    """The strip of `scan`; `ahead` is the scan that it waits for, if any."""
    return Progress(
        scan=scan,
        title=_title(scan),
        note=_note(scan, ahead),
        stages=[_stage(scan, stage) for stage in STAGES],
        figures=_figures(scan),
        left=_left(scan),
        done=scan.runs_done if scan.runs_total and scan.ended_at is None else None,
        total=scan.runs_total,
    )


def _title(scan: Scan) -> str:
    if scan.status == ScanStatus.CREATED:
        return f"Scan {scan.pk} waits"
    if scan.status == ScanStatus.FINISHED:
        return f"Scan {scan.pk} has finished"
    if scan.status == ScanStatus.ERROR:
        return f"Scan {scan.pk} stopped"
    return f"Scan {scan.pk} is running"


def _note(scan: Scan, ahead: Scan | None) -> str:
    if scan.status == ScanStatus.CREATED:
        if ahead:
            return f"for scan {ahead.pk} to end"
        if timezone.now() - scan.created_at > WORKER_PATIENCE:
            return "for a worker: none has taken it yet. Is the process seqauto_single_worker running?"
        return "for a worker to take it"
    if scan.status == ScanStatus.ERROR:
        return scan.error
    where = f", on {scan.worker}" if scan.worker else ""
    return f"started by {scan.started_by_name}{where}"


def _stage(scan: Scan, stage: ScanStatus) -> Stage:
    took = scan.stage_times.get(stage.label)
    if scan.status == stage:
        return Stage(stage.label, "run", duration(took))
    if took is not None:
        last = next(reversed(scan.stage_times)) == stage.label
        stopped = scan.status == ScanStatus.ERROR and last
        return Stage(stage.label, "bad" if stopped else "ok", duration(took))
    if stage == ScanStatus.SCANNING_FILES and scan.reused_scan_id:
        return Stage(stage.label, "", f"· lists of scan {scan.reused_scan_id}")
    return Stage(stage.label, "", "· off" if stage == ScanStatus.SCRIPTS_AND_JOBS else "")


def _figures(scan: Scan) -> str:
    if scan.status == ScanStatus.CREATED:
        return ""
    if scan.status == ScanStatus.SCANNING_FILES:
        seconds = scan.stage_times[ScanStatus.SCANNING_FILES.label].total_seconds()
        rate = f", {round(scan.files_seen / seconds):,} a second" if seconds else ""
        runs = f"{scan.runs_done:,} of {scan.runs_total:,} runs, " if scan.runs_total else ""
        return f"{runs}{plural(scan.files_seen, 'file')}{rate}"
    if scan.runs_total and scan.ended_at is None:
        return f"{scan.runs_done:,} of {plural(scan.runs_total, 'run')}"
    if scan.status == ScanStatus.FINISHED:
        return f"{plural(scan.runs_found or 0, 'run')}, {plural(scan.files_seen, 'file')}"
    return ""


def _left(scan: Scan) -> str:
    """How long the stage in hand will go on, if the runs to come are like those done."""
    if scan.status == ScanStatus.FINISHED:
        return f"took {duration(scan.duration)}"
    if scan.ended_at or not scan.runs_total or not 0 < scan.runs_done < scan.runs_total:
        return ""
    so_far = scan.stage_times.get(str(scan.get_status_display()))
    if so_far is None or so_far < timedelta(seconds=2):
        return ""
    return f"about {duration(so_far / scan.runs_done * (scan.runs_total - scan.runs_done))} left"
