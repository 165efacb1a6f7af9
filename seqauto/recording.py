"""Create Models, for one run folder: read it, compare with what is known, write the difference.

Disk is read before the transaction; inside it stand only the lease's check and the writes.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from sequencing.compare import Comparison, FileRecord, KnownFile, compare, paths_seen
from sequencing.disk import printable, read_metadata
from sequencing.expected import RunFacts, SampleKey, expected_files
from sequencing.illumina.run_name import parse_run_name
from sequencing.layout import FILE_TYPES, FoundFile, recognise_layout
from sequencing.reading import RunReading, read_run

from . import bulk, messages
from .lease import Lease, LeaseLost
from .messages import Notice
from .models import Experiment, Scan, Sequencer, SequencingFile, SequencingRun
from .models.runs import RunState
from .models.samples import DataState
from .run_notices import failed_run, run_notices, unread_run
from .scan_lists import ChangeWriter, ListReader, RunEntry
from .sheets import Sheets, save_samples
from .trust import KnownRun, lies_under

log = logging.getLogger(__name__)

Files = Mapping[str, Sequence[FoundFile]]
"""The files of a run by kind."""

# Part of every fingerprint: raise it when the rules of reading change, and every run is read again.
RULES_VERSION = 1


@dataclass(frozen=True, slots=True)
class RecordRules:
    """The settings that decide what is expected of a run."""

    control_pattern: re.Pattern[str] | None = None
    extra_columns: Sequence[str] = ()
    fastq_patterns: Sequence[str] = ()
    markers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file_types: Collection[str] = frozenset(FILE_TYPES)

    @property
    def are_partial(self) -> bool:
        return set(self.file_types) != set(FILE_TYPES)

    def fingerprint(self, entry: RunEntry) -> str:
        """What a run looked like under these rules; the same again means that there is nothing to do."""
        parts = [
            RULES_VERSION, FILE_TYPES, self.control_pattern, self.extra_columns, self.fastq_patterns,
            self.markers, entry.digest, entry.skipped, entry.sheet_sha256, entry.unreadable, entry.oddities,
        ]  # fmt: skip
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def known_runs() -> list[KnownRun]:
    fields = KnownRun.__slots__
    return [KnownRun(*row) for row in SequencingRun.objects.order_by("path").values_list(*fields)]


class Recorder:
    """Records run after run of one scan. Knows every run of the database and every folder of the scan."""

    def __init__(
        self,
        scan: Scan,
        lists: ListReader,
        rules: RecordRules,
        lease: Lease,
        changes: ChangeWriter,
        known: Sequence[KnownRun],
        folders: Collection[str],
        trusted_roots: Sequence[str],
    ) -> None:
        self.scan, self.lists, self.rules, self.lease, self.changes = scan, lists, rules, lease, changes
        self.folders, self.trusted_roots = folders, trusted_roots
        self.unreadable = [path for root in lists.roots for path in root.unreadable]
        self.by_path = {run.path: run for run in known}
        self.by_identity = {run.identity: run for run in known if run.identity}
        self._learn_names()

    def _learn_names(self) -> None:
        self.sequencers = {sequencer.serial: sequencer for sequencer in Sequencer.objects.all()}
        self.experiments = {experiment.name: experiment for experiment in Experiment.objects.all()}

    def is_unchanged(self, entry: RunEntry) -> bool:
        known = self.by_path.get(entry.folder)
        if known is None:
            return False
        if known.is_legacy:
            return True
        return not self.rules.are_partial and known.fingerprint == self.rules.fingerprint(entry)

    def record(self, entry: RunEntry) -> bool:
        """Bring the database up to what lies in one run folder; say whether anything there was new.

        What fails becomes a message on that run, and no other run suffers.
        """
        known = self.by_path.get(entry.folder)
        try:
            if entry.skipped:
                self._record_skipped(entry)
                return known is None or known.state != RunState.SKIPPED
            if "" not in entry.unreadable:
                return self._record_read(entry)
            self._record_unread(entry, unread_run())
        except (LeaseLost, OperationalError, InterfaceError):
            raise  # not this run's fault
        except Exception as error:
            log.exception("Run folder %s could not be recorded.", entry.folder)
            self._learn_names()  # those that were made for this run went with it
            self._record_unread(entry, failed_run(error))
        return known is None or known.state != RunState.ERROR

    # ---- a run that is passed over, or that failed ----

    def _record_skipped(self, entry: RunEntry) -> None:
        """Pass a run over; only its name is read, and of a run that was known everything stays."""
        run = self._run_at(entry.folder) or self._new_run(entry)
        by_name = RunReading(run.name, parse_run_name(run.name))
        run.date, run.flowcell = run.date or by_name.date, run.flowcell or by_name.flowcell
        run.run_number = run.run_number if run.run_number is not None else by_name.run_number
        run.state, run.state_reason = RunState.SKIPPED, entry.skipped[:500]
        run.fingerprint, run.last_scan = self.rules.fingerprint(entry), self.scan
        with transaction.atomic():
            self.lease.check()
            run.sequencer = run.sequencer or self._sequencer(by_name)
            _save(run)
            messages.say(self.scan, run, [])
        self._remember(run)

    def _record_unread(self, entry: RunEntry, notice: Notice) -> None:
        """Say why nothing is known of a run today; what was known of its files stays as it was."""
        run = self._run_at(entry.folder) or self._new_run(entry)
        run.state, run.state_reason, run.fingerprint = RunState.ERROR, notice.text[:500], ""
        run.last_scan = self.scan
        with transaction.atomic():
            self.lease.check()
            _save(run)
            messages.say(self.scan, run, [notice])
        self._remember(run)

    # ---- a run that is read ----

    def _record_read(self, entry: RunEntry) -> bool:
        files = {kind: self.lists.files(entry, kind) for kind in entry.spans}
        reading = self._read(entry, files)
        run, notices = self._identify(entry, reading)
        is_new, state_before = run.pk is None, run.state
        sheets = Sheets.of(run, reading.sheet, self.scan, is_there="sample_sheet" in entry.spans)
        comparison = self._compare(entry, files, reading, run, sheets)
        self._describe(run, entry, reading, sheets, comparison)
        notices += sheets.notices + run_notices(entry, reading, comparison)
        with transaction.atomic():
            self.lease.check()
            self._save_run(run, reading)
            sheets.save(run)
            sample_ids = self._save_samples(run, sheets, is_new)
            _save_files(run, comparison, sample_ids)
            if self.rules.are_partial:
                _count_files(run)
            messages.say(self.scan, run, notices, is_new_run=is_new)
        self._remember(run)
        self.changes.add(
            entry.folder,
            appeared=comparison.appeared,
            vanished=comparison.vanished,
            changed=comparison.changed,
        )
        return is_new or bool(sheets.new) or comparison.has_changes or run.state != state_before

    def _read(self, entry: RunEntry, files: Files) -> RunReading:
        folder = Path(entry.folder)
        return read_run(
            folder.name,
            files,
            lambda path: read_metadata(folder / path),
            now=timezone.now(),
            markers=self.rules.markers,
        )

    def _identify(self, entry: RunEntry, reading: RunReading) -> tuple[SequencingRun, list[Notice]]:
        """Find the row of this folder, or make one: known by its path, or as a run that was moved here.

        Of two folders that claim one run the second has no identity, until the first is gone or skipped.
        """
        run = self._run_at(entry.folder)
        other = self.by_identity.get(reading.identity)
        if run is None and other and self._has_left(other) and not other.is_legacy:
            run = self._place(SequencingRun.objects.get(pk=other.pk), entry)
            moved = Notice("info", "run_moved", f"The run was moved here from {other.path}.", is_event=True)
            return run, [moved]
        run = run or self._new_run(entry)
        if other is None or other.pk == run.pk or self._gives_way(other):
            run.identity = reading.identity
            return run, []
        run.identity = None
        return run, [
            Notice(
                "error",
                "run_twice",
                f"Two folders claim to be the same run ({reading.identity}): this one and {other.path}.",
                "Find out which is the copy, and move it out of the archive or mark it to be skipped.",
            )
        ]

    def _gives_way(self, run: KnownRun) -> bool:
        """Whether a known run has no more claim on its identity. A legacy run keeps its own for ever."""
        return not run.is_legacy and (run.state == RunState.SKIPPED or self._has_left(run))

    def _has_left(self, run: KnownRun) -> bool:
        """Whether a known run is no longer where it was, as far as a root that was read well can tell."""
        if run.state == RunState.DELETED:
            return True
        return (
            run.path not in self.folders
            and any(run.path.startswith(root + "/") for root in self.trusted_roots)
            and not lies_under(run.path, self.unreadable)
        )

    def _run_at(self, folder: str) -> SequencingRun | None:
        known = self.by_path.get(folder)
        return SequencingRun.objects.get(pk=known.pk) if known else None

    def _new_run(self, entry: RunEntry) -> SequencingRun:
        return self._place(SequencingRun(first_scan=self.scan), entry)

    def _place(self, run: SequencingRun, entry: RunEntry) -> SequencingRun:
        folder = PurePosixPath(entry.folder)
        run.path, run.name, run.root = entry.folder, folder.name, entry.root
        group = str(folder.parent.relative_to(entry.root))
        run.group = "" if group == "." else group
        return run

    def _compare(
        self, entry: RunEntry, files: Files, reading: RunReading, run: SequencingRun, sheets: Sheets
    ) -> Comparison:
        found = [(kind, file) for kind in self.rules.file_types for file in files.get(kind, ())]
        known = _known_files(run, self.rules.file_types) if run.pk else []
        fastqs = [file.path for kind, file in found if kind == "fastq"]
        layout = recognise_layout(
            fastqs or paths_seen(known),
            sheets.in_force,
            reading.run_info,
            self.rules.fastq_patterns,
            [file.path for kind in ("run_info", "sample_sheet") for file in files.get(kind, ())],
        )
        run.layout = layout.name
        expected = expected_files(
            RunFacts(
                reading.run_info, sheets.in_force, is_sequencing=reading.is_sequencing, run_name=run.name
            ),
            layout,
            control_pattern=self.rules.control_pattern,
            file_types={name: FILE_TYPES[name] for name in self.rules.file_types},
        )
        return compare(
            expected,
            found,
            known,
            samples=sheets.samples,
            layout=layout,
            unreadable=entry.unreadable,
            is_sequencing=reading.is_sequencing,
        )

    def _save_samples(self, run: SequencingRun, sheets: Sheets, is_new_run: bool) -> dict[SampleKey, int]:
        return save_samples(
            run,
            sheets.samples,
            control_pattern=self.rules.control_pattern,
            extra_columns=self.rules.extra_columns,
            is_new_run=is_new_run,
        )

    def _describe(
        self, run: SequencingRun, entry: RunEntry, reading: RunReading, sheets: Sheets, comparison: Comparison
    ) -> None:
        """Set what the run's row says, from what was read."""
        info, parameters = reading.run_info, reading.run_parameters
        run.run_number, run.flowcell = reading.run_number, printable(reading.flowcell)[:100]
        run.date = reading.date
        if info:
            run.reads, run.lane_count = [[read.cycles, read.is_index] for read in info.reads], info.lane_count
        if parameters:
            run.chemistry = printable(parameters.chemistry)[:255]
            software = f"{parameters.application_name} {parameters.application_version}"
            run.control_software = printable(software.strip())[:255]
        run.files_expected, run.files_found = comparison.files_expected, comparison.files_found
        run.files_total, run.bytes_total = comparison.files_total, comparison.bytes_total
        run.sample_count = len(sheets.samples)
        run.state, run.state_reason = _state(reading, sheets, comparison)
        # What may change without any file changing is looked at again by every scan.
        is_settled = (
            run.identity
            and not reading.is_sequencing
            and not self.rules.are_partial
            and not any(problem.code == "unreadable_file" for _file, problem in reading.problems)
        )
        run.fingerprint = self.rules.fingerprint(entry) if is_settled else ""
        run.last_scan = self.scan

    def _save_run(self, run: SequencingRun, reading: RunReading) -> None:
        run.sequencer = self._sequencer(reading)
        run.experiment = self._experiment(reading)
        before = self.by_identity.get(run.identity or "")
        if before and before.pk != run.pk:  # gone or skipped, see `_identify`
            SequencingRun.objects.filter(pk=before.pk).update(identity=None)
        _save(run)

    def _sequencer(self, reading: RunReading) -> Sequencer | None:
        serial = printable(reading.instrument)[:100]
        if serial and serial not in self.sequencers:
            self.sequencers[serial] = Sequencer.objects.create(serial=serial, model=reading.model)
        return self.sequencers.get(serial)

    def _experiment(self, reading: RunReading) -> Experiment | None:
        name = printable(reading.run_parameters.experiment_name)[:255] if reading.run_parameters else ""
        if name and name not in self.experiments:
            self.experiments[name] = Experiment.objects.create(name=name)
        return self.experiments.get(name)

    def _remember(self, run: SequencingRun) -> None:
        """So that a run moved twice in one scan, or claimed by two folders of it, is recognised."""
        before = self.by_identity.get(run.identity or "")
        if before and before.pk == run.pk:
            self.by_path.pop(before.path, None)
        now = KnownRun(
            run.pk, run.path, run.identity, run.fingerprint, run.state, run.is_legacy, run.files_total
        )
        self.by_path[run.path] = now
        if run.identity:
            self.by_identity[run.identity] = now

    # ---- a run that is gone ----

    def missing_runs(self) -> list[KnownRun]:
        """Known runs that this scan should have found and did not."""
        return [
            run
            for run in self.by_path.values()
            if self._has_left(run) and run.state != RunState.DELETED and not run.is_legacy
        ]

    def record_deleted(self, known: KnownRun) -> None:
        """Turn a run whose folder is gone, and its files, to Deleted."""
        run = SequencingRun.objects.get(pk=known.pk)
        there = run.files.filter(data_state=DataState.COMPLETE)
        vanished = list(there.values_list("path", flat=True))
        notice = Notice(
            "warning",
            "run_deleted",
            "The run folder is gone from the archive; its files count as deleted.",
            "If that was meant, nothing needs doing. If not, restore the folder and scan again.",
        )
        run.state, run.state_reason, run.fingerprint = RunState.DELETED, "Its folder is gone.", ""
        run.files_found = run.files_total = run.bytes_total = 0
        run.last_scan = self.scan
        with transaction.atomic():
            self.lease.check()
            there.update(data_state=DataState.DELETED, changed_at=timezone.now())
            run.files.filter(data_state=DataState.RUNNING).update(data_state=DataState.NON_EXISTENT)
            _save(run)
            messages.say(self.scan, run, [notice])
        self.changes.add(run.path, vanished=vanished)


def _state(reading: RunReading, sheets: Sheets, comparison: Comparison) -> tuple[str, str]:
    if sheets.problem:
        return RunState.ERROR, sheets.problem
    if reading.is_sequencing:
        return RunState.RUNNING, "No marker of completion yet."
    if comparison.not_checked:
        return RunState.ERROR, "A part of it could not be read, so nobody knows whether files are missing."
    if not comparison.files_expected:
        return RunState.NOTHING_EXPECTED, "No sample of the sheet has files to expect."
    if comparison.files_found < comparison.files_expected:
        return RunState.INCOMPLETE, ""
    return RunState.COMPLETE, ""


# Flags belong to people, who may set them while a scan has the run in its hands.
_SCANNED = [
    column.name
    for column in SequencingRun._meta.concrete_fields
    if not column.primary_key and not column.name.startswith("is_")
]


def _save(run: SequencingRun) -> None:
    run.save(update_fields=_SCANNED if run.pk else None)


# ---- files ----

_FILE_FIELDS = [
    "sample", "file_type", "path", "data_state", "is_expected", "lane", "read", "size", "mtime_ns",
    "changed_at",
]  # fmt: skip


def _known_files(run: SequencingRun, file_types: Collection[str]) -> list[KnownFile]:
    rows = run.files.filter(file_type__in=file_types).values_list(
        "pk", "file_type", "path", "sample__project", "sample__sample_id",
        "lane", "read", "data_state", "is_expected", "size", "mtime_ns",
    )  # fmt: skip
    return [
        KnownFile(
            pk,
            FileRecord(
                kind,
                path,
                None if sample_id is None else (project, sample_id),
                lane,
                read,
                state,
                is_expected,
                size,
                mtime_ns,
            ),
        )
        for pk, kind, path, project, sample_id, lane, read, state, is_expected, size, mtime_ns in rows
    ]


def _save_files(run: SequencingRun, comparison: Comparison, sample_ids: Mapping[SampleKey, int]) -> None:
    """Write a comparison's rows; those forgotten go first, which keeps paths unique on the way."""
    now = timezone.now()
    if comparison.forgotten:
        SequencingFile.objects.filter(pk__in=comparison.forgotten).delete()
    if comparison.updated:
        SequencingFile.objects.bulk_update(
            [
                SequencingFile(
                    pk=pk, **dict(zip(_ATTRIBUTES, _file_values(record, sample_ids, now), strict=True))
                )
                for pk, record in comparison.updated
            ],
            _FILE_FIELDS,
            batch_size=500,
        )
    bulk.insert_rows(
        SequencingFile,
        ["run", *_FILE_FIELDS],
        [[run.pk, *_file_values(record, sample_ids, now)] for record in comparison.new],
    )


_ATTRIBUTES = ["sample_id", *_FILE_FIELDS[1:]]


def _file_values(record: FileRecord, sample_ids: Mapping[SampleKey, int], now: datetime) -> list[Any]:
    return [
        sample_ids.get(record.sample) if record.sample else None,
        record.file_type,
        record.path,
        record.state,
        record.is_expected,
        record.lane,
        record.read,
        record.size,
        record.mtime_ns,
        now,
    ]


def _count_files(run: SequencingRun) -> None:
    """Count the files of all types, where a scan looked at some only."""
    there = Q(data_state=DataState.COMPLETE)
    expected = Q(is_expected=True) & ~Q(data_state=DataState.SKIPPED)
    counts = run.files.aggregate(
        files_expected=Count("pk", filter=expected),
        files_found=Count("pk", filter=expected & there),
        files_total=Count("pk", filter=there),
        bytes_total=Coalesce(Sum("size", filter=there), 0),
    )
    SequencingRun.objects.filter(pk=run.pk).update(**counts)
