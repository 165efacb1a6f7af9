"""The story of a scan: look at the archive disks, work out what should be there, record what is.

    Created → Scanning Files → Create Models → Scripts and Jobs → Finished, or Error

A scan is for all runs: one that cannot be read becomes a message on that run, and the scan goes on. Error is
for a scan that could not do its work, or not for all roots.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import close_old_connections, transaction
from django.db.models import Count
from django.db.models.functions import Now
from django.utils import timezone

from sequencing.layout import FILE_TYPES

from . import lease as leases
from . import messages
from .audit import command_line, record
from .known_runs import KnownRun, known_runs
from .lease import Lease, LeaseLost
from .models import Scan, ScanRoot, SequencingFile, SequencingRun
from .models.scans import ScanSource, ScanStatus
from .recording import Recorder, RecordRules
from .run_notices import root_notices
from .scan_lists import (
    ROOTS,
    ChangeWriter,
    ListReader,
    ListWriter,
    RootReport,
    RunEntry,
    folder_of,
    remove_oldest,
)
from .trust import why_distrusted
from .walking import WalkRules, walk_root

log = logging.getLogger(__name__)

# What later parts do after a scan: a name for people, and a function of the scan. One entry is all it takes.
SCRIPTS_AND_JOBS: dict[str, Callable[[Scan], None]] = {}

PROGRESS_SECONDS = 1


class ScanProblem(Exception):
    """A scan could not do its work, for a reason that a person can mend."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.remedy = remedy


# ---- the story ----


def run_scan(scan: Scan, watch: Callable[[Scan], None] = lambda _scan: None) -> bool:
    """Work through a scan that waits. False where another scan holds the lease, or this one waits no more.

    Whatever goes wrong is written on the scan while the database can be reached; only an interruption by a
    person is raised again. `watch` is called about once a second with the scan's progress.
    """
    lease = Lease(settings.SEQAUTO_LEASE_SECONDS, settings.SEQAUTO_HEARTBEAT_SECONDS)
    if not _start(scan, lease):
        return False
    with lease.kept_alive():
        try:
            _refuse_if_disabled()
            lists = (
                _reused_lists(scan.reused_scan_id) if scan.reused_scan_id else scan_files(scan, lease, watch)
            )
            create_models(scan, lists, lease, watch)
            scripts_and_jobs(scan, lease)
            _finish(scan, lease)
        except LeaseLost as error:
            log.error("SeqAuto Run %s: %s", scan.pk, error)
            fail_abandoned_scans()
        except BaseException as error:
            with suppress(LeaseLost):
                _fail(scan, lease, error)
            if not isinstance(error, Exception):
                raise
    return True


def scan_files(scan: Scan, lease: Lease, watch: Callable[[Scan], None]) -> ListReader:
    """Walk every root, and write down what lies there."""
    rules = WalkRules(
        skip_marker=settings.SEQAUTO_SKIP_MARKER,
        skip_patterns=settings.SEQAUTO_SKIP_PATTERNS,
        find_scripts=settings.SEQAUTO_FIND_SCRIPTS,
        threads=settings.SEQAUTO_WALK_THREADS,
    )
    roots = [str(root) for root in settings.SEQAUTO_SCAN_ROOTS]
    if not roots:
        raise ScanProblem("No archive disk is named.", "Set SEQAUTO_SCAN_ROOTS to the folders to scan.")
    _enter(scan, ScanStatus.SCANNING_FILES, lease)
    folder = lists_folder(scan)
    progress = _Progress(scan, lease, watch)
    with ListWriter(folder) as lists:
        lists.write_roots([walk_root(root, rules, lists, progress.walked) for root in roots])
    progress.write()
    waited_for = Scan.objects.waiting().exclude(reused_scan=None).select_related("reused_scan")
    spare = [folder, *(lists_folder(waiting.reused_scan) for waiting in waited_for if waiting.reused_scan)]
    remove_oldest(settings.SEQAUTO_SCAN_RESOURCES_DIR, settings.SEQAUTO_KEEP_SCAN_LISTS, spare)
    return ListReader(folder)


def create_models(scan: Scan, lists: ListReader, lease: Lease, watch: Callable[[Scan], None]) -> None:
    """Record, run by run, what should be there and what is; then what is gone."""
    _enter(scan, ScanStatus.CREATE_MODELS, lease)
    entries = {entry.folder: entry for entry in lists.runs()}
    known = known_runs()
    trusted = _trusted_roots(scan, lists.roots, entries, known, lease)
    here = [entry for entry in entries.values() if entry.root in trusted]
    progress = _Progress(scan, lease, watch, runs_total=len(here))
    with ChangeWriter(lists_folder(scan)) as changes:
        recorder = Recorder(scan, lists, _record_rules(scan), lease, changes, known, entries, trusted)
        for number, entry in enumerate(here, start=1):
            if not recorder.is_unchanged(entry):
                scan.runs_changed += recorder.record(entry)
            progress.recorded(number)
        recorder.leave_unscanned([*map(str, settings.SEQAUTO_SCAN_ROOTS), *recorder.roots])
        for run in recorder.missing_runs():
            scan.runs_changed += recorder.record_missing(run)
    for change, count in changes.counts.items():
        setattr(scan, f"files_{change}", count)
    scan.runs_found, scan.runs_skipped = len(here), sum(bool(entry.skipped) for entry in here)
    scan.files_by_state = _count_files(scan)
    progress.write()


def scripts_and_jobs(scan: Scan, lease: Lease) -> None:
    """Start what follows a scan; off by default."""
    if not settings.SEQAUTO_SCRIPTS_AND_JOBS_ENABLED:
        return
    _enter(scan, ScanStatus.SCRIPTS_AND_JOBS, lease)
    for name, job in SCRIPTS_AND_JOBS.items():
        log.info("SeqAuto Run %s: %s", scan.pk, name)
        job(scan)


def _count_files(scan: Scan) -> dict[str, dict[str, int]]:
    """Count files by type and state; where this scan changed nothing, the scan before has counted them."""
    others = Scan.objects.exclude(pk=scan.pk).exclude(create_models_at=None)
    before = others.order_by("-create_models_at").first()
    if not scan.runs_changed and before and before.ended_at and before.files_by_state is not None:
        return dict(before.files_by_state)
    counts: dict[str, dict[str, int]] = {file_type: {} for file_type in FILE_TYPES}
    rows = SequencingFile.objects.order_by().values_list("file_type", "data_state").annotate(Count("pk"))
    for file_type, state, count in rows:
        counts.setdefault(file_type, {})[state] = count
    return counts


# ---- which roots are believed ----


def _trusted_roots(
    scan: Scan,
    reports: Sequence[RootReport],
    entries: Mapping[str, RunEntry],
    known: Sequence[KnownRun],
    lease: Lease,
) -> list[str]:
    """The roots whose listing may be believed; says of the others why not, and of all what lies there."""
    before = {root.path: root for root in ScanRoot.objects.all()}
    accept_missing = scan.options.get("accept_missing", False)
    for report in reports:
        doubt = "" if accept_missing else why_distrusted(
            report, entries, known,
            device_before=before[report.path].device if report.path in before else None,
            had_sentinel=report.path in before and before[report.path].has_sentinel,
            max_lost_share=settings.SEQAUTO_MAX_LOST_SHARE,
        )  # fmt: skip
        if doubt and not report.error:
            report.error, report.remedy = f"Archive root {doubt}; nothing was changed for it.", _IF_GONE
    trusted = [report for report in reports if not report.error]
    with transaction.atomic():
        lease.check()
        messages.say(scan, None, [notice for report in reports for notice in root_notices(report)])
        for report in trusted:
            ScanRoot.objects.update_or_create(
                path=report.path,
                defaults={"device": report.device, "has_sentinel": report.has_sentinel, "scan": scan},
            )
    scan.error = " ".join(report.error for report in reports if report.error)
    scan.remedy = " ".join(dict.fromkeys(report.remedy for report in reports if report.error))
    return [report.path for report in trusted]


_IF_GONE = (
    "If the disk is not mounted, mount it and scan again. If the files are really gone, run "
    "`manage.py scan_run_jobs --accept-missing`."
)


# ---- states of a scan ----


def _start(scan: Scan, lease: Lease) -> bool:
    """Take the lease and turn Created into running, both or neither."""
    with transaction.atomic():
        if not lease.take(scan, leases.process_name()):
            return False
        for abandoned in Scan.objects.running():  # Its lease was taken over before anyone noticed.
            _fail_abandoned(abandoned)
        started = Scan.objects.filter(pk=scan.pk, status=ScanStatus.CREATED).update(
            is_running=True, worker=leases.process_name(), task_id=scan.task_id, progress_at=timezone.now()
        )
        if not started:
            lease.release()
    scan.refresh_from_db()
    return bool(started)


def _enter(scan: Scan, status: ScanStatus, lease: Lease) -> None:
    scan.status = status
    setattr(scan, f"{status}_at", timezone.now())
    with transaction.atomic():
        lease.check()
        scan.save()
    log.info("SeqAuto Run %s: %s", scan.pk, status.label)


def _finish(scan: Scan, lease: Lease) -> None:
    """End well, or with the Error of the roots that could not be believed."""
    scan.status = ScanStatus.ERROR if scan.error else ScanStatus.FINISHED
    _end(scan, lease)


def _fail(scan: Scan, lease: Lease, error: BaseException) -> None:
    close_old_connections()  # Where the database ended this one, a new one can still say so.
    is_interruption = not isinstance(error, Exception)
    log.error("SeqAuto Run %s ends in Error.", scan.pk, exc_info=not is_interruption)
    scan.status, scan.traceback = ScanStatus.ERROR, traceback.format_exc()
    if isinstance(error, ScanProblem):
        scan.error, scan.remedy, scan.traceback = str(error), error.remedy, ""
    elif isinstance(error, OSError):
        folder = settings.SEQAUTO_SCAN_RESOURCES_DIR
        scan.error = f"A file list under {folder} could not be written or read: {error.strerror or error}."
        scan.remedy = "See that this folder's disk has room and may be written, then scan again."
    elif not is_interruption:
        scan.error = f"{type(error).__name__}: {error}"
        scan.remedy = "Scan again. If it comes back, report it with the stack trace below."
    else:
        scan.error, scan.remedy = (
            "The scan was interrupted.",
            "Scan again: it goes on where this one stopped.",
        )
    _end(scan, lease)


def _end(scan: Scan, lease: Lease) -> None:
    setattr(scan, f"{scan.status}_at", timezone.now())
    scan.is_running = False
    with transaction.atomic():
        lease.check()
        scan.save()
        lease.release()
    log.info("SeqAuto Run %s: %s. %s", scan.pk, scan.get_status_display(), scan.error)


def fail_abandoned_scans() -> int:
    """Turn scans whose worker died to Error; return how many. Cheap where there are none."""
    failed = 0
    for scan in Scan.objects.running():
        if not leases.is_held_by(scan):
            with transaction.atomic():
                failed += leases.withdraw_expired(scan) and _fail_abandoned(scan)
    stale = Now() - timedelta(seconds=2 * settings.SEQAUTO_LEASE_SECONDS)
    left = Scan.objects.waiting().filter(
        is_running=False, source=ScanSource.COMMAND_LINE, progress_at__lt=stale
    )
    if left.exists():  # Pages ask all the time, and an UPDATE of nothing takes SQLite's only write lock too.
        failed += left.update(
            status=ScanStatus.ERROR,
            error_at=timezone.now(),
            error="The command ended before its turn came.",
            remedy="Run it again.",
        )
    return failed


def _fail_abandoned(scan: Scan) -> int:
    return Scan.objects.filter(pk=scan.pk, is_running=True).update(
        status=ScanStatus.ERROR,
        is_running=False,
        error_at=timezone.now(),
        error=f"The worker ({scan.worker}) died or lost the database; "
        f"its last sign of life was at {timezone.localtime(scan.progress_at):%H:%M:%S %Z on %-d %B %Y}.",
        remedy="Scan again: what was recorded so far is whole, and the next scan goes on from there.",
    )


# ---- asking for a scan ----


def why_disabled() -> str:
    """Say which setting keeps scans from running; "" where they may."""
    return "" if settings.SEQAUTO_ENABLED else "Scanning is switched off here: SEQAUTO_ENABLED is false."


def _refuse_if_disabled() -> None:
    if reason := why_disabled():
        raise ScanProblem(reason, "Set SEQAUTO_ENABLED to true and restart.")


def create_scan(
    source: ScanSource,
    *,
    user: User | None = None,
    slot: str | None = None,
    options: Mapping[str, Any] | None = None,
    reused_scan: Scan | None = None,
) -> Scan:
    """Make a scan that waits for its turn. Raises ScanProblem while scanning is switched off."""
    _refuse_if_disabled()
    if reused_scan and not (folder_of(settings.SEQAUTO_SCAN_RESOURCES_DIR, reused_scan.pk) / ROOTS).exists():
        raise ScanProblem(
            f"{reused_scan} has no file lists to start from.",
            "Name a scan whose page offers lists, or scan anew.",
        )
    with transaction.atomic():
        scan = Scan.objects.create(
            source=source,
            started_by=user,
            slot=slot,
            options=dict(options or {}),
            reused_scan=reused_scan,
            progress_at=timezone.now(),
        )
        asked = {"slot": slot, "reused_scan": reused_scan and reused_scan.pk, **scan.options}
        record(
            "scan.started",
            scan,
            user=user,
            rule="" if user else command_line() if source == ScanSource.COMMAND_LINE else source.label,
            after={"source": source.label} | {name: value for name, value in asked.items() if value},
        )
    return scan


def waiting_scan() -> Scan | None:
    """The next scan that waits for a worker."""
    return Scan.objects.waiting().exclude(source=ScanSource.COMMAND_LINE).order_by("pk").first()


def request_rescan(run: SequencingRun) -> None:
    """Let the next scan read a run anew, changed or not."""
    SequencingRun.objects.filter(pk=run.pk).update(fingerprint="")


def lists_folder(scan: Scan) -> Path:
    return folder_of(settings.SEQAUTO_SCAN_RESOURCES_DIR, scan.pk)


def _reused_lists(scan_id: int) -> ListReader:
    return ListReader(folder_of(settings.SEQAUTO_SCAN_RESOURCES_DIR, scan_id))


def _record_rules(scan: Scan) -> RecordRules:
    pattern = settings.SEQAUTO_CONTROL_SAMPLE_PATTERN
    return RecordRules(
        control_pattern=re.compile(pattern) if pattern else None,
        extra_columns=settings.SEQAUTO_EXTRA_SHEET_COLUMNS,
        fastq_patterns=settings.SEQAUTO_FASTQ_PATTERNS,
        markers=settings.SEQAUTO_MARKERS,
        file_types=frozenset(scan.options.get("process_types") or FILE_TYPES),
        accept_missing=scan.options.get("accept_missing", False),
    )


# ---- progress ----


class _Progress:
    """Writes how far a stage has come, about once a second."""

    def __init__(
        self, scan: Scan, lease: Lease, watch: Callable[[Scan], None], runs_total: int | None = None
    ) -> None:
        self.scan, self.lease, self.watch, self.written = scan, lease, watch, 0.0
        scan.runs_done, scan.runs_total = 0, runs_total

    def walked(self, files: int) -> None:
        self.scan.files_seen += files
        self.recorded(self.scan.runs_done + 1)

    def recorded(self, runs: int) -> None:
        self.scan.runs_done = runs
        if time.monotonic() - self.written >= PROGRESS_SECONDS:
            self.write()

    def write(self) -> None:
        self.written, self.scan.progress_at = time.monotonic(), timezone.now()
        with transaction.atomic():
            self.lease.check()
            self.scan.save(update_fields=["runs_done", "runs_total", "files_seen", "progress_at"])
        self.watch(self.scan)
