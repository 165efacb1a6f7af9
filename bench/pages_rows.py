"""Rows of a lab of some years, for `bench.pages`: written in bulk, the same ones each time.

Nothing is drawn by lot: what varies follows from a run's number, so that two databases hold the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction

from seqauto.bulk import insert_rows
from seqauto.models import (
    AuditEntry,
    Delivery,
    DeliveryEvent,
    DeliveryStep,
    DiskReading,
    Experiment,
    Hold,
    IncomingFolder,
    Message,
    Proof,
    Removal,
    SampleSheet,
    Scan,
    ScanLease,
    ScanRoot,
    Sequencer,
    SequencingFile,
    SequencingRun,
    SequencingSample,
    Submission,
    Worker,
)
from seqauto.models.deliveries import STEPS_OF_EVERY_RUN, DeliveryState, StepState

RUNS_A_SCAN = 4
SCANS_A_DAY = 2
RUNS_A_DAY = RUNS_A_SCAN * SCANS_A_DAY
RUNS_AT_ONCE = 250
DELIVERED_SHARE = 0.3
"""Of the runs, the newest: the lab has delivered with SeqAuto for so long."""
READINGS_A_DAY = 96
DAYS_OF_READINGS = 365

SEQUENCERS = (
    ("M00879", "MiSeq", "000000000-A{:04d}"),
    ("M02027", "MiSeq", "000000000-C{:04d}"),
    ("NB501009", "NextSeq 500/550", "AH{:04d}BGXX"),
    ("NS500318", "NextSeq 500/550", "AH{:04d}AFXX"),
    ("VH00203", "NextSeq 1000/2000", "AAC{:04d}M5"),
    ("A01934", "NovaSeq 6000", "BH{:04d}DRX2"),
    ("LH00217", "NovaSeq X", "A22{:04d}LT3"),
    ("FS10001773", "iSeq 100", "BSE{:04d}-1017"),
)
GROUPS = ("exome_v8", "cardio_panel", "genomes", "pharma", "haem", "virology", "research/2024", "trio")
PROJECTS = tuple(f"{name}{number:02d}" for number in range(30) for name in ("HAEM", "CARDIO", "EXOME", "RES"))
RARE_PROJECT, RARE_EVERY = "PILOT01", 3000
SAMPLES_BY_TURN = (24, 48, 96, 48, 24)
LARGE_EVERY, LARGE_AT, LARGE_SAMPLES, LARGE_LANES = 1000, 100, 384, 4
DISKS = ("/incoming", "/backup", "/fastq", "/archive")
READS = [[151, False], [8, True], [8, True], [151, False]]


def write_rows(runs: int, now: datetime) -> None:
    """Fill an empty database: a lab whose newest of `runs` runs began some hours before `now`."""
    with transaction.atomic():
        _write_lab(runs, now)
        _write_scans(runs, now)
    for first in range(1, runs + 1, RUNS_AT_ONCE):
        with transaction.atomic():
            _write_runs([Run(n, runs, now) for n in range(first, min(first + RUNS_AT_ONCE, runs + 1))])
    delivered = _delivered(runs)
    for place in range(0, len(delivered), RUNS_AT_ONCE):
        with transaction.atomic():
            _write_deliveries([Run(n, runs, now) for n in delivered[place : place + RUNS_AT_ONCE]])
    with transaction.atomic():
        _write_records(runs, now)


def _delivered(runs: int) -> range:
    """The numbers of the runs that came by a delivery."""
    return range(runs - round(runs * DELIVERED_SHARE) + 1, runs + 1)


@dataclass(frozen=True)
class Run:
    """What follows from the number of a run, 1 for the oldest of `runs`."""

    number: int
    runs: int
    now: datetime

    @cached_property
    def began(self) -> datetime:
        return self.now - timedelta(hours=7) - timedelta(days=1) * ((self.runs - self.number) / RUNS_A_DAY)

    @cached_property
    def sequencer(self) -> int:
        """Its id."""
        return self.number % len(SEQUENCERS) + 1

    @cached_property
    def serial(self) -> str:
        return SEQUENCERS[self.sequencer - 1][0]

    @cached_property
    def flowcell(self) -> str:
        return SEQUENCERS[self.sequencer - 1][2].format(self.number)

    @cached_property
    def name(self) -> str:
        return f"{self.began:%y%m%d}_{self.serial}_{self.number:04d}_{self.flowcell}"

    @cached_property
    def identity(self) -> str:
        return f"{self.serial}/{self.number}/{self.flowcell}"

    @cached_property
    def group(self) -> str:
        return GROUPS[self.number % len(GROUPS)]

    @cached_property
    def path(self) -> str:
        return f"/archive/{self.group}/{self.name}"

    @cached_property
    def is_large(self) -> bool:
        return (self.runs - self.number) % LARGE_EVERY == LARGE_AT

    @cached_property
    def lanes(self) -> range:
        return range(1, LARGE_LANES + 1) if self.is_large else range(1, 2)

    @cached_property
    def sample_count(self) -> int:
        return LARGE_SAMPLES if self.is_large else SAMPLES_BY_TURN[self.number % len(SAMPLES_BY_TURN)]

    @cached_property
    def missing(self) -> int:
        """How many of its FASTQs are not there: never seen, or, in some runs, gone."""
        return self.number % 7 + 1 if self.number % 40 == 0 else 0

    @cached_property
    def expected(self) -> int:
        return self.sample_count * len(self.lanes) * 2

    @cached_property
    def state(self) -> str:
        if self.number % 301 == 0:
            return "error"
        return "incomplete" if self.missing else "complete"

    @cached_property
    def scan(self) -> int:
        """The id of the scan that found it."""
        return self.number // RUNS_A_SCAN + 1

    @cached_property
    def projects(self) -> tuple[str, ...]:
        usual = [PROJECTS[(self.number * 3 + place) % len(PROJECTS)] for place in range(2)]
        return (usual[0], RARE_PROJECT if self.number % RARE_EVERY == 0 else usual[1])

    @cached_property
    def sample_ids(self) -> list[str]:
        """One sample in seven stands on an earlier run too."""
        year, again = f"{self.began:%y}H", max(self.number - 25, 1)
        return [
            f"{year}{self.number if place % 7 else again:05d}-{place:03d}"
            for place in range(1, self.sample_count + 1)
        ]


Rows = Iterator[Sequence[Any]]


def _insert(model: type[models.Model], fields: str, rows: Iterable[Sequence[Any]]) -> None:
    insert_rows(model, fields.split(), rows)


# ---- the lab, its scans ----


def _write_lab(runs: int, now: datetime) -> None:
    _insert(Sequencer, "id serial model", ((n, row[0], row[1]) for n, row in enumerate(SEQUENCERS, start=1)))
    names = ((n, f"{GROUPS[n % len(GROUPS)][:5].title()}_{n // 100:02d}_{n:05d}") for n in _named(runs))
    _insert(Experiment, "id name", names)
    _insert(IncomingFolder, "path looked_at error remedy", [("/incoming", now, "", "")])
    # `migrate` has made the one row of the lease.
    ScanLease.objects.get_or_create(pk=1)
    _insert(ScanRoot, "path device has_sentinel scanned_at", [("/archive", 66_306, True, now)])
    fields = "name kind host pid queues concurrency active reserved versions started_at beat_at"
    workers = (("seqauto_single_worker", "worker", 1), ("seqauto_delivery", "worker", 2), ("beat", "beat", 0))
    _insert(Worker, fields, [
        (f"{name}@labsrv1", kind, "labsrv1", 4711 + at_once, [name], at_once, [], 0, {}, now, now)
        for name, kind, at_once in workers
    ])  # fmt: skip
    step = timedelta(days=1) / READINGS_A_DAY
    readings = (
        (disk, [disk], now - step * n, 100 * 10**12, 10**12 * (20 + 5 * place) + n * 10**8)
        for place, disk in enumerate(DISKS)
        for n in range(READINGS_A_DAY * DAYS_OF_READINGS)
    )
    _insert(DiskReading, "path folders at total free", readings)


def _named(runs: int) -> Iterator[int]:
    """The runs that have an experiment: nine in ten."""
    return (n for n in range(1, runs + 1) if n % 10)


def _write_scans(runs: int, now: datetime) -> None:
    fields = (
        "id status is_running source created_at scanning_files_at create_models_at finished_at error_at "
        "runs_done runs_total files_seen runs_found runs_changed runs_skipped files_appeared files_vanished "
        "files_changed files_by_state options error remedy traceback task_id worker"
    )
    _insert(Scan, fields, _scan_rows(runs, now))


def _scan_rows(runs: int, now: datetime) -> Rows:
    last = Run(runs, runs, now).scan
    for pk in range(1, last + 1):
        began = now - timedelta(days=(last - pk) / SCANS_A_DAY, hours=1)
        known, took = pk * RUNS_A_SCAN, timedelta(seconds=20 + pk / 50)
        end = began + 2 * took
        failed = pk % 97 == 0
        states = {"fastq": {"complete": known * 100, "non_existent": known // 10}}
        yield (
            pk, "error" if failed else "finished", False, "schedule", began, began, began + took,
            None if failed else end, end if failed else None, known, known, known * 100, known, RUNS_A_SCAN,
            0, 400, 0, 3, states, {}, "The archive did not answer." if failed else "",
            "Look whether it is mounted." if failed else "", "", f"{pk:032x}", "labsrv1:4711",
        )  # fmt: skip


# ---- runs, sheets, samples, files, messages ----


def _write_runs(runs: Sequence[Run]) -> None:
    run_fields = (
        "id name root path group identity sequencer experiment run_number flowcell date reads lane_count "
        "chemistry control_software layout state state_reason fingerprint files_expected files_found "
        "files_total bytes_total sample_count is_gold_standard is_bad is_hidden is_legacy first_scan "
        "last_scan created_at updated_at"
    )
    _insert(SequencingRun, run_fields, map(_run_row, runs))
    sheet_fields = (
        "run version is_current path format sha256 content problems is_usable sample_count change scan "
        "seen_at"
    )
    _insert(SampleSheet, sheet_fields, _flat(_sheet_rows, runs))
    sample_fields = "id run sample_id sample_name project number lanes indexes is_control is_failed extra"
    _insert(SequencingSample, sample_fields, _flat(_sample_rows, runs))
    file_fields = "run sample file_type path data_state is_expected lane read size mtime_ns changed_at"
    _insert(SequencingFile, file_fields, _flat(_file_rows, runs))
    message_fields = "scan run severity code text remedy place key opened_at closed_at closed_by_scan"
    _insert(Message, message_fields, _flat(_message_rows, runs))


def _flat(rows_of: Callable[[Run], Rows], runs: Iterable[Run]) -> Rows:
    for run in runs:
        yield from rows_of(run)


def _run_row(run: Run) -> Sequence[Any]:
    number, found = run.number, run.expected - run.missing
    in_error = run.state == "error"
    return (
        number, run.name, "/archive", run.path, run.group, run.identity, run.sequencer,
        number if number % 10 else None, number, run.flowcell, run.began.date(), READS, len(run.lanes),
        "TruSeq", "NCS 4.0", "bclconvert", run.state, "The sample sheet has errors." if in_error else "",
        f"{number:064x}", run.expected, found, found + 2, (found + 2) * 412_000_000, run.sample_count,
        number % 500 == 1, number % 333 == 2, number % 250 == 3, number % 400 == 4, run.scan, run.scan,
        run.began, run.began,
    )  # fmt: skip


def _sheet_rows(run: Run) -> Rows:
    for version in range(1, 3 if run.number % 9 == 0 else 2):
        is_current = version == (2 if run.number % 9 == 0 else 1)
        yield (
            run.number, version, is_current, "SampleSheet.csv", "v1", f"{version * 10**6 + run.number:064x}",
            _sheet(run.sample_count), [], True, run.sample_count, "1 sample renamed" if version > 1 else "",
            run.scan, run.began,
        )  # fmt: skip


@cache
def _sheet(samples: int) -> object:
    """The same text for all runs of so many samples, as each database takes bytes."""
    rows = "".join(f"S{place},S{place},TAAGGCGA,TAGATCGC,HAEM01,\r\n" for place in range(1, samples + 1))
    content = f"[Data]\r\nSample_ID,Sample_Name,index,index2,Sample_Project,Description\r\n{rows}".encode()
    return f"\\x{content.hex()}" if connection.vendor == "postgresql" else content


def _sample_key(run: Run, place: int) -> int:
    return run.number * (LARGE_SAMPLES + 1) + place


def _sample_rows(run: Run) -> Rows:
    projects = run.projects
    for place, sample_id in enumerate(run.sample_ids, start=1):
        yield (
            _sample_key(run, place), run.number, sample_id, sample_id, projects[place % 2], place, "",
            "TAAGGCGA+TAGATCGC", place % 48 == 0, place % 480 == 1, {},
        )  # fmt: skip


def _file_rows(run: Run) -> Rows:
    began, mtime, left = run.began, int(run.began.timestamp()) * 10**9, run.missing
    state_of_absent = "deleted" if run.number % 120 == 0 else "non_existent"
    for place, sample_id in enumerate(run.sample_ids, start=1):
        key, stem = _sample_key(run, place), f"0_fastq/{sample_id}_S{place}"
        for lane in run.lanes:
            for read in ("R1", "R2"):
                is_absent = left > 0
                left -= is_absent
                path = f"{stem}_L{lane:03d}_{read}_001.fastq.gz"
                state, size = (state_of_absent, None) if is_absent else ("complete", 412_000_000 + place)
                when = None if is_absent else mtime
                yield run.number, key, "fastq", path, state, True, lane, read, size, when, began
    for read in ("R1", "R2"):
        path = f"0_fastq/Undetermined_S0_L001_{read}_001.fastq.gz"
        row = (run.number, None, "fastq", path, "complete", False, 1, read, 9_000_000, mtime, began)
        yield row


def _message_rows(run: Run) -> Rows:
    """Four that were closed, and one that is open where something is amiss with the run."""
    codes = ("no_run_parameters", "empty_fastq", "odd_name", "sheet_warning")
    for place, code in enumerate(codes):
        text = f"{code.replace('_', ' ')}: something to know of {run.name}"
        key, closed = f"{run.number}-{code}", run.began + timedelta(days=1)
        severity = ("warning", "info")[place % 2]
        place_in = "SampleSheet.csv, row 7"
        yield (
            run.scan, run.number, severity, code, text, "Look at it.", place_in, key, run.began, closed,
            run.scan,
        )  # fmt: skip
    if run.state != "complete" or run.number % 6 == 0:
        severity = "error" if run.state == "error" else "warning"
        text = f"Something is amiss with {run.name}"
        yield (
            run.scan, run.number, severity, f"amiss_{run.number % 9}", text, "Mend it.", "RunInfo.xml",
            f"{run.number}-open", run.began, None, None,
        )  # fmt: skip


# ---- deliveries ----

#: How the newest deliveries stand: what is not named is delivered.
UNDER_WAY = (
    *(DeliveryState.SEQUENCING,) * 6,
    *(DeliveryState.SETTLING,) * 2,
    *(DeliveryState.DELIVERING,) * 4,
    *(DeliveryState.WAITING,) * 5,
    *(DeliveryState.STALLED,) * 2,
    *(DeliveryState.UNRECOGNISED,) * 12,
    *(DeliveryState.HELD,) * 2,
    *(DeliveryState.RUN_FAILED,) * 1,
)
DONE, WAITING = StepState.DONE, StepState.WAITING
STEP_STATES = {
    DeliveryState.SETTLING: (StepState.RUNNING, WAITING, WAITING, WAITING),
    DeliveryState.DELIVERING: (DONE, DONE, StepState.RUNNING, WAITING),
    DeliveryState.WAITING: (DONE, DONE, StepState.FAILED, WAITING),
    DeliveryState.HELD: (DONE, WAITING, WAITING, WAITING),
    DeliveryState.DELIVERED: (DONE,) * 4,
    DeliveryState.UNRECOGNISED: (),
}
REMOVED_AFTER = timedelta(days=21)


def state_of(run: Run) -> DeliveryState:
    newest = run.runs - run.number
    return UNDER_WAY[newest] if newest < len(UNDER_WAY) else DeliveryState.DELIVERED


def _is_removed(run: Run) -> bool:
    return state_of(run) == DeliveryState.DELIVERED and run.now - run.began > REMOVED_AFTER + timedelta(
        days=1
    )


def _write_deliveries(runs: Sequence[Run]) -> None:
    fields = (
        "id name root path identity instrument model run_number flowcell date state reason remedy cycles "
        "cycles_total listing files bytes sheet_sha256 conversion found_at progress_at complete_at "
        "delivered_at gone_at is_held is_forced overrides"
    )
    _insert(Delivery, fields, map(_delivery_row, runs))
    step_fields = (
        "delivery kind place state attempts deaths started_at ended_at bytes_done bytes_total doing figures "
        "problems code error remedy traceback log worker"
    )
    _insert(DeliveryStep, step_fields, _flat(_step_rows, runs))
    _insert(DeliveryEvent, "delivery at user_name step text reason", _flat(_event_rows, runs))
    delivered = [run for run in runs if state_of(run) == DeliveryState.DELIVERED]
    submitted: Rows = (
        (run.number, 1, "HAEM01", f"{run.number:032x}", "batch", {}, run.began, "") for run in delivered
    )
    _insert(Submission, "delivery conversion project job_id kind job chosen_at receipt", submitted)
    proof_fields = "delivery what at is_good bytes differences manifest_sha256"
    _insert(Proof, proof_fields, _flat(_proof_rows, delivered))
    removal_fields = (
        "delivery target path state files bytes rule evidence manifest tombstone proposed_at proposed_by "
        "approved_by ended_at error remedy"
    )
    _insert(Removal, removal_fields, map(_removal_row, filter(_is_removed, delivered)))


def _delivery_row(run: Run) -> Sequence[Any]:
    state, began = state_of(run), run.began
    is_run = state != DeliveryState.UNRECOGNISED
    is_whole = state not in (DeliveryState.SEQUENCING, DeliveryState.STALLED)
    delivered_at = began + timedelta(hours=6) if state == DeliveryState.DELIVERED else None
    reason = "It waits." if state in (DeliveryState.WAITING, DeliveryState.STALLED) else ""
    return (
        run.number, run.name, "/incoming", f"/incoming/{run.name}", run.identity if is_run else None,
        run.serial, SEQUENCERS[run.sequencer - 1][1], run.number, run.flowcell, began.date(), state, reason,
        "Look at it." if reason else "", 318 if is_whole else 120, 318, f"{run.number:064x}", 4_812,
        14 * 10**9, f"{run.number:064x}", 1, began, began, began if is_whole else None, delivered_at,
        delivered_at if _is_removed(run) else None, state == DeliveryState.HELD, False, [],
    )  # fmt: skip


def _step_rows(run: Run) -> Rows:
    states, figures = STEP_STATES.get(state_of(run), (WAITING,) * 4), _figures(run)
    for place, (kind, state) in enumerate(zip(STEPS_OF_EVERY_RUN, states, strict=False), start=1):
        began = run.began + timedelta(hours=place) if state != WAITING else None
        ended = began + timedelta(minutes=40) if began and state in (DONE, StepState.FAILED) else None
        failed = state == StepState.FAILED
        yield (
            run.number, kind, place, state, int(began is not None), 0, began, ended,
            14 * 10**9 if ended else 0, 14 * 10**9, "", figures[kind] if state == DONE else {}, [],
            "sheet" if failed else "", "SampleSheet.csv has 2 errors." if failed else "",
            "Mend it." if failed else "", "", "", "labsrv1:4711",
        )  # fmt: skip


def _figures(run: Run) -> dict[str, dict[str, Any]]:
    """What each step writes down; as long as in a lab, for that is what pages read."""
    moment, backup = (run.began + timedelta(hours=5)).isoformat(), f"/backup/{run.name}"
    files = [
        {
            "path": f"{run.projects[place % 2]}/{sample_id}_S{place}_L001_{read}_001.fastq.gz",
            "project": run.projects[place % 2], "sample_id": sample_id, "lane": 1, "read": read,
            "size": 412_000_000,
        }
        for place, sample_id in enumerate(run.sample_ids, start=1) for read in ("R1", "R2")
    ]  # fmt: skip
    key = f"fastq/{run.projects[0]}/{run.serial}_{run.number}"
    objects = [
        {"key": f"{key}/{file['path']}", "size": 412_000_000, "checksum": f"md5 {run.number:032x}"}
        for file in files
    ]
    objects.append({"key": f"{key}/meta.json", "size": 300, "checksum": f"md5 {run.number:032x}"})
    reads = [
        {"lane": 1, "project": file["project"], "sample_id": file["sample_id"], "index": "TAAGGCGA+TAGATCGC",
         "reads": 2_000_000}
        for file in files[::2]
    ]  # fmt: skip
    unknown = [{"lane": 1, "index": "GGGGGGGG+AGATCTCG", "reads": 310_204}]
    demultiplexing = {
        "samples": reads, "undetermined": [{"lane": 1, "reads": 704_112}], "unknown": unknown,
        "total": 2_000_000 * len(reads) + 704_112,
    }  # fmt: skip
    project = {
        "project": run.projects[0], "prefix": key, "files": len(files), "bytes": 412_000_000 * len(files),
        "verified_by": "MD5 of each object", "uploaded_at": moment, "objects": objects,
    }  # fmt: skip
    return {
        "settle": {"files": 4_812, "bytes": 14 * 10**9, "markers": ["RTAComplete.txt", "CopyComplete.txt"]},
        "back_up": {
            "folder": backup, "manifest": f"{backup}.manifest.tsv", "files": 4_812, "bytes": 14 * 10**9,
            "algorithm": "xxh3-128", "verified_at": moment, "already_there": False, "remarks": [],
        },
        "convert": {
            "converter": "bcl-convert", "version": "4.3.6", "commands": [["bcl-convert"]], "adopted": False,
            "folder": f"/fastq/{run.name}/fastq", "sheet_sha256": f"{run.number:064x}", "warnings": [],
            "files": files, "run_listing": f"{run.number:064x}", "demultiplexing": demultiplexing,
        },
        "upload": {"bucket": "lab-fastq", "projects": [project], "left_out": ""},
    }  # fmt: skip


def _event_rows(run: Run) -> Rows:
    texts = ("Found", "Complete", "Settled", "Backed up", "Converted", "Uploaded", "Delivered")
    for place, text in enumerate(texts):
        yield run.number, run.began + timedelta(minutes=30 * place), "", "", text, ""


def _proof_rows(run: Run) -> Rows:
    for what in ("backup", "s3"):
        for again in (2, 9):
            yield run.number, what, run.began + timedelta(days=again), True, 14 * 10**9, [], ""


def _removal_row(run: Run) -> Sequence[Any]:
    gates = [{"name": f"gate_{place}", "sentence": "It is so", "passed": True, "is_known": True,
              "evidence": "Seen."} for place in range(14)]  # fmt: skip
    manifest = "".join(f"file\t1000\t0\t{n:032x}\tData/Intensities/s_{n}.bcl\n" for n in range(100))
    ended = run.began + REMOVED_AFTER
    return (
        run.number, "source", f"/incoming/{run.name}", "removed", 4_812, 14 * 10**9, {"days": 21}, gates,
        manifest, "", ended, "anna", "", ended, "", "",
    )  # fmt: skip


# ---- holds, audit ----


def _write_records(runs: int, now: datetime) -> None:
    held = [Run(number, runs, now) for number in _delivered(runs)[-160:-50:5]]
    _insert(Hold, "delivery user_name reason created_at released_by",
            [(run.number, "bert", "A trial asked for it.", run.began, "") for run in held])  # fmt: skip
    audit_fields = "at who is_person action kind key name before after reason"
    _insert(AuditEntry, audit_fields, _audit_rows(runs, now))


def _audit_rows(runs: int, now: datetime) -> Rows:
    """Five changes a run, the oldest first."""
    actions = ("delivery.retried", "run.flags_set", "run.rescan_asked", "removal.proposed", "removal.removed")
    for number in range(1, runs + 1):
        run = Run(number, runs, now)
        for place, action in enumerate(actions):
            kind = {"delivery": "delivery", "run": "sequencingrun", "removal": "removal"}[
                action.partition(".")[0]
            ]
            at, is_person = run.began + timedelta(hours=place), place < 4
            who, after = ("anna" if is_person else "clean-up"), {"state": "queued"}
            yield (
                at,
                who,
                is_person,
                action,
                kind,
                number,
                run.name,
                {"state": "failed"},
                after,
                "It is right.",
            )


# ---- at the end ----


def tidy() -> None:
    """Let the database know its rows as it comes to know them in use."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        tables = [Sequencer, Experiment, Scan, SequencingRun, SequencingSample, Delivery]
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")


def counts() -> str:
    """`10,000 runs, 1,041,000 files, ...` of what stands in the database."""
    told = (SequencingRun, SequencingSample, SequencingFile, Message, Scan, Delivery, AuditEntry, DiskReading)
    return ", ".join(f"{one.objects.count():,} {one._meta.verbose_name_plural}" for one in told)
