"""Create Models, for one run folder: read it, compare with what is known, write the difference.

Disk is read before the transaction; inside it stand only the lease's check and the writes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from sequencing.compare import Comparison, KnownFile, compare, paths_seen
from sequencing.disk import empty_folder_above, is_gone, printable, read_metadata
from sequencing.expected import RunFacts, SampleKey, expected_files
from sequencing.illumina.run_name import parse_run_name
from sequencing.layout import FILE_TYPES, FoundFile, recognise_layout
from sequencing.reading import RunReading, read_run

from . import messages
from .known_runs import KnownRun, lies_under
from .lease import Lease, LeaseLost
from .messages import Notice
from .models import Experiment, Message, Scan, Sequencer, SequencingRun
from .models.runs import RunState
from .models.samples import DataState
from .run_files import count_files, known_files, save_files
from .run_notices import deleted_run, failed_run, not_found, run_notices, run_twice, unread_run
from .scan_lists import ChangeWriter, ListReader, RunEntry
from .sheets import Sheets, save_samples

log = logging.getLogger(__name__)

Files = Mapping[str, Sequence[FoundFile]]
"""The files of a run by kind."""

NOT_THE_RUNS_FAULT = (LeaseLost, OperationalError, InterfaceError)


def _code_version() -> str:
    """A hash of the code that reads runs. Part of every fingerprint: what new code sees is read again."""
    ours = Path(__file__).parent
    code = sorted((*(ours.parent / "sequencing").rglob("*.py"), *ours.glob("*.py")))
    return hashlib.blake2b(b"".join(path.read_bytes() for path in code), digest_size=8).hexdigest()


CODE_VERSION = _code_version()


@dataclass(frozen=True, slots=True)
class RecordRules:
    """The settings that decide what is expected of a run."""

    control_pattern: re.Pattern[str] | None = None
    extra_columns: Sequence[str] = ()
    fastq_patterns: Sequence[str] = ()
    markers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file_types: Collection[str] = frozenset(FILE_TYPES)
    accept_missing: bool = False  # a person says that what is not found is gone

    @property
    def are_partial(self) -> bool:
        return set(self.file_types) != set(FILE_TYPES)

    @property
    def version(self) -> str:
        """Changes with every setting and every line of code by which runs are read."""
        pattern = self.control_pattern and self.control_pattern.pattern
        rules = [CODE_VERSION, FILE_TYPES, pattern, self.extra_columns, self.fastq_patterns, self.markers]
        return hashlib.blake2b(repr(rules).encode(), digest_size=16).hexdigest()


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
        entries: Mapping[str, RunEntry],
        trusted_roots: Sequence[str],
    ) -> None:
        self.scan, self.lists, self.rules, self.lease, self.changes = scan, lists, rules, lease, changes
        self.folders, self.trusted_roots = entries.keys(), trusted_roots
        self.rules_version = rules.version
        self.roots = [root.path for root in lists.roots]
        self.unreadable = [path for root in lists.roots for path in root.unreadable]
        unread = [entry.folder for entry in entries.values() if "" in entry.unreadable]
        self.unread_names = {PurePosixPath(folder).name for folder in unread}
        self.by_path = {run.path: run for run in known}
        self.by_identity = {run.identity: run for run in known if run.identity}
        self._learn_names()

    def _learn_names(self) -> None:
        self.sequencers = {sequencer.serial: sequencer for sequencer in Sequencer.objects.all()}
        self.experiments = {experiment.name: experiment for experiment in Experiment.objects.all()}

    def fingerprint(self, entry: RunEntry) -> str:
        """What a run looks like under today's rules; the same again means that there is nothing to do."""
        looks = [self.rules_version, entry.digest, entry.skipped, entry.sheet_sha256]
        looks += [repr(entry.unreadable), repr(entry.oddities)]
        return hashlib.blake2b(repr(looks).encode(), digest_size=16).hexdigest()

    def is_unchanged(self, entry: RunEntry) -> bool:
        known = self.by_path.get(entry.folder)
        if known is None:
            return False
        if known.is_legacy:
            return True
        return not self.rules.are_partial and known.fingerprint == self.fingerprint(entry)

    def record(self, entry: RunEntry) -> bool:
        """Bring the database up to what lies in one run folder; say whether anything there was new.

        What fails becomes a message on that run, and no other run suffers.
        """
        known = self.by_path.get(entry.folder)
        if known and SequencingRun.objects.filter(pk=known.pk, is_legacy=True).exists():
            return False  # flagged since the scan began
        if self.scan.reused_scan_id and is_gone(entry.folder):
            return False  # it was there when the lists were written
        try:
            if entry.skipped:
                self._record_skipped(entry)
                return known is None or known.state != RunState.SKIPPED
            if "" not in entry.unreadable:
                return self._record_read(entry)
            self._record_unread(entry, unread_run())
        except NOT_THE_RUNS_FAULT:
            raise
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
        run.fingerprint, run.last_scan = self.fingerprint(entry), self.scan
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
        self.superseded: SequencingRun | None = None
        run, notices = self._identify(entry, reading)
        is_new, state_before = run.pk is None, run.state
        sheets = Sheets.of(run, reading.sheet, self.scan, is_there="sample_sheet" in entry.spans)
        comparison = self._compare(entry, files, reading, run, sheets)
        self._describe(run, entry, reading, sheets, comparison)
        notices += sheets.notices + run_notices(entry, reading, comparison)
        with transaction.atomic():
            self.lease.check()
            if self.superseded:
                self.superseded.delete()
            self._save_run(run, reading)
            sheets.save(run)
            sample_ids = self._save_samples(run, sheets, is_new)
            save_files(run, comparison, sample_ids)
            if self.rules.are_partial:
                count_files(run)
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
        is_unclaimed = run is None or run.identity is None
        if is_unclaimed and other and not other.is_legacy and self._has_moved(other, entry.folder):
            # A copy that was seen while the first folder stood gives way: history and flags are with that.
            self.superseded = run
            run = self._place(SequencingRun.objects.get(pk=other.pk), entry)
            moved = Notice("info", "run_moved", f"The run was moved here from {other.path}.", is_event=True)
            return run, [moved]
        run = run or self._new_run(entry)
        if other is None or other.pk == run.pk or self._gives_way(other):
            run.identity = reading.identity
            return run, []
        run.identity = None
        return run, [run_twice(reading.identity, other)]

    def _gives_way(self, run: KnownRun) -> bool:
        """Whether a known run has no more claim on its identity. A legacy run keeps its own for ever."""
        return not run.is_legacy and (run.state == RunState.SKIPPED or self._has_left(run))

    def _has_moved(self, run: KnownRun, folder: str) -> bool:
        """Whether a known run is the one found at `folder` now: gone from its place, or linked back there.

        So is one of a root that is scanned no more, such as a disk with a new mount point.
        """
        is_elsewhere = not lies_under(run.path, self.roots)
        return is_elsewhere or os.path.realpath(run.path) == folder or self._has_left(run)

    def _has_left(self, run: KnownRun) -> bool:
        """Whether a known run is no longer where it was, as far as a root that was read well can tell."""
        if run.state == RunState.DELETED:
            return True
        return self._was_not_found(run) and is_gone(run.path)

    def _was_not_found(self, run: KnownRun) -> bool:
        return (
            run.path not in self.folders
            and lies_under(run.path, self.trusted_roots)
            and not lies_under(run.path, self.unreadable)
            and run.name not in self.unread_names  # perhaps moved there
        )

    def _why_not_gone(self, run: KnownRun) -> str:
        """Why a run that was not found must not count as gone; "" where it is."""
        if not is_gone(run.path):
            return f"{run.path} is still there, but this scan did not find it as a run"
        root = next(root for root in self.roots if lies_under(run.path, [root]))
        if not self.rules.accept_missing and (empty := empty_folder_above(run.path, root)):
            return f"{empty} is empty, as a disk is that is not mounted"
        return ""

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
        known = known_files(run, self.rules.file_types) if run.pk else []
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
            RunFacts(reading.run_info, sheets.in_force, run_name=run.name),
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
            unreadable=[*entry.unreadable, *_not_gone(entry.folder, found, known)],
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
        run.fingerprint = self.fingerprint(entry) if is_settled else ""
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
            if run.state not in (RunState.DELETED, RunState.NOT_SCANNED)
            and not run.is_legacy
            and self._was_not_found(run)
        ]

    def leave_unscanned(self, roots: Collection[str]) -> None:
        """Set aside the runs of archive roots that are scanned no more; their files keep their states."""
        aside = [
            run.pk
            for run in self.by_path.values()
            if not lies_under(run.path, roots)
            and run.state not in (RunState.DELETED, RunState.NOT_SCANNED)
            and not run.is_legacy
        ]
        if not aside:
            return
        with transaction.atomic():
            self.lease.check()
            SequencingRun.objects.filter(pk__in=aside).update(
                state=RunState.NOT_SCANNED,
                state_reason="Its archive root is no longer scanned.",
                fingerprint="",
            )
            Message.objects.open().filter(run__in=aside).update(
                closed_at=timezone.now(), closed_by_scan=self.scan
            )

    def record_missing(self, known: KnownRun) -> bool:
        """Turn a run that was not found to Deleted, or say why it does not count as gone."""
        try:
            if reason := self._why_not_gone(known):
                self._say_of_missing(known, not_found(reason))
                return False
            self._record_deleted(known)
        except NOT_THE_RUNS_FAULT:
            raise
        except Exception as error:
            log.exception("The loss of run folder %s could not be recorded.", known.path)
            self._say_of_missing(known, failed_run(error))
            return False
        return True

    def _say_of_missing(self, known: KnownRun, notice: Notice) -> None:
        """Say why a run that was not found keeps its states."""
        run = SequencingRun.objects.get(pk=known.pk)
        with transaction.atomic():
            self.lease.check()
            SequencingRun.objects.filter(pk=known.pk).update(fingerprint="")  # read anew when it is back
            messages.say(self.scan, run, [notice])

    def _record_deleted(self, known: KnownRun) -> None:
        run = SequencingRun.objects.get(pk=known.pk)
        there = run.files.filter(data_state=DataState.COMPLETE)
        vanished = list(there.values_list("path", flat=True))
        run.state, run.state_reason, run.fingerprint = RunState.DELETED, "Its folder is gone.", ""
        run.files_found = run.files_total = run.bytes_total = 0
        run.last_scan = self.scan
        with transaction.atomic():
            self.lease.check()
            there.update(data_state=DataState.DELETED, changed_at=timezone.now())
            run.files.filter(data_state=DataState.RUNNING).update(data_state=DataState.NON_EXISTENT)
            _save(run)
            messages.say(self.scan, run, [deleted_run()])
        self.changes.add(run.path, vanished=vanished)


def _not_gone(folder: str, found: Sequence[tuple[str, FoundFile]], known: Sequence[KnownFile]) -> list[str]:
    """Known files that were not listed and yet are there: behind a link, or newer than lists used again."""
    listed = {file.path for _kind, file in found}
    missing = [file.record.path for file in known if file.record.state == DataState.COMPLETE]
    return [path for path in missing if path not in listed and not is_gone(f"{folder}/{path}")]


def _state(reading: RunReading, sheets: Sheets, comparison: Comparison) -> tuple[str, str]:
    if sheets.problem:
        return RunState.ERROR, sheets.problem
    if reading.is_sequencing:
        return RunState.RUNNING, "No marker of completion yet."
    if comparison.not_checked:
        return RunState.ERROR, "A part of it could not be read, so nobody knows whether files are missing."
    if not comparison.files_expected:
        return RunState.NOTHING_EXPECTED, _why_nothing_expected(sheets)
    if comparison.files_found < comparison.files_expected:
        return RunState.INCOMPLETE, ""
    return RunState.COMPLETE, ""


def _why_nothing_expected(sheets: Sheets) -> str:
    unfit = sum(not sample.is_safe for sample in sheets.samples)
    if not unfit:
        return "No sample of the sheet has files to expect."
    return (
        f"The names of {unfit} of {len(sheets.samples)} samples hold characters that no file name may hold."
    )


# Flags belong to people, who may set them while a scan has the run in its hands.
_SCANNED = [
    column.name
    for column in SequencingRun._meta.concrete_fields
    if not column.primary_key and not column.name.startswith("is_")
]


def _save(run: SequencingRun) -> None:
    run.save(update_fields=_SCANNED if run.pk else None)
