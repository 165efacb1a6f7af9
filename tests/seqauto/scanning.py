"""Scans for tests, from the disk to the database, and short ways to say what they left there."""

import os
from collections.abc import Collection
from pathlib import Path

from django.db.models import Model

from seqauto import scans
from seqauto.models import (
    Experiment,
    Message,
    SampleSheet,
    Scan,
    Sequencer,
    SequencingFile,
    SequencingRun,
    SequencingSample,
)
from seqauto.models.scans import ScanSource, ScanStatus


def scan_disks(reused_scan: Scan | None = None, **options) -> Scan:
    """Scan the archive as the command does; Error is for the caller to look at."""
    scan = scans.create_scan(ScanSource.COMMAND_LINE, options=options, reused_scan=reused_scan)
    assert scans.run_scan(scan)
    scan.refresh_from_db()
    return scan


def scan_well(**options) -> Scan:
    """Scan the archive, and see that it ends well."""
    scan = scan_disks(**options)
    assert scan.status == ScanStatus.FINISHED, (scan.error, scan.traceback)
    return scan


def run_of(folder: Path) -> SequencingRun:
    return SequencingRun.objects.get(path=str(folder))


def file_states(run: SequencingRun | Path) -> dict[str, str]:
    """State of each file of a run by its base name, the Undetermined ones left out."""
    run = run if isinstance(run, SequencingRun) else run_of(run)
    rows = run.files.values_list("path", "data_state")
    return {os.path.basename(path): state for path, state in rows if "Undetermined" not in path}


def open_codes(run: SequencingRun | Path | None) -> set[str]:
    """Codes of the messages that are open on a run; those of no run for None."""
    run = run_of(run) if isinstance(run, Path) else run
    return set(Message.objects.open().filter(run=run).values_list("code", flat=True))


def said(code: str, run: SequencingRun | Path | None = None) -> Message:
    """The only message of this code on a run, open or closed."""
    run = run_of(run) if isinstance(run, Path) else run
    return Message.objects.get(code=code, run=run)


def fastq(run: Path, pattern: str) -> Path:
    """The only FASTQ of a run whose name matches."""
    (found,) = run.rglob(pattern)
    return found


def whole_database(leave_out: Collection[str] = ()) -> dict[str, list[tuple]]:
    """Every row that says what is known of the archive, for "nothing changed"."""
    models = SequencingRun, SampleSheet, SequencingSample, SequencingFile, Sequencer, Experiment
    return {model.__name__: _rows(model, leave_out) for model in models}


def _rows(model: type[Model], leave_out: Collection[str]) -> list[tuple]:
    columns = [field.name for field in model._meta.concrete_fields if field.name not in leave_out]
    return list(model.objects.order_by("pk").values_list(*columns))
