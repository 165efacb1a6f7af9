"""Rows that the pages show, written straight to the database: of any size and nastiness."""

from datetime import date, timedelta
from itertools import count

from django.utils import timezone

from seqauto.models import (
    Message,
    SampleSheet,
    Scan,
    Sequencer,
    SequencingFile,
    SequencingRun,
    SequencingSample,
)
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanSource, ScanStatus

_numbers = count(1)


def add_scan(status: ScanStatus = ScanStatus.FINISHED, ago: timedelta = timedelta(hours=1), **fields) -> Scan:
    """A scan that has come to `status`; each stage before it took ten seconds."""
    began = timezone.now() - ago
    order = [
        ScanStatus.CREATED,
        ScanStatus.SCANNING_FILES,
        ScanStatus.CREATE_MODELS,
        ScanStatus.FINISHED,
    ]
    last = order.index(status) if status in order else 1
    stamps = {
        f"{stage}_at": began + timedelta(seconds=10 * place) for place, stage in enumerate(order[: last + 1])
    }
    if status == ScanStatus.ERROR:
        stamps["error_at"] = began + timedelta(seconds=14)
    is_running = status in (ScanStatus.SCANNING_FILES, ScanStatus.CREATE_MODELS)
    if status == ScanStatus.FINISHED:
        fields = {"runs_found": 3, "files_seen": 288} | fields
    return Scan.objects.create(
        **{
            "status": status,
            "source": ScanSource.SCHEDULE,
            "is_running": is_running,
            "progress_at": timezone.now(),
        }
        | stamps
        | fields
    )


def add_run(samples: int = 0, lanes: int = 1, missing: int = 0, **fields) -> SequencingRun:
    """A run whose samples have R1 and R2 in each lane; the first `missing` files are not there."""
    number = next(_numbers)
    name = fields.pop("name", f"2611{number % 28 + 1:02d}_M02027_{number:04d}_000000000-A{number:04d}")
    sequencer, _ = Sequencer.objects.get_or_create(serial="M02027", defaults={"model": "MiSeq"})
    expected = samples * lanes * 2
    state = RunState.INCOMPLETE if missing else RunState.COMPLETE if expected else RunState.NOTHING_EXPECTED
    run = SequencingRun.objects.create(
        **{
            "name": name,
            "root": "/archive",
            "group": "haem",
            "path": f"/archive/haem/{name}",
            "sequencer": sequencer,
            "date": date(2026, 11, number % 28 + 1),
            "reads": [[151, False], [8, True], [8, True], [151, False]],
            "state": state,
            "sample_count": samples,
            "files_expected": expected,
            "files_found": expected - missing,
            "files_total": expected - missing,
        }
        | fields
    )
    rows = SequencingSample.objects.bulk_create(
        SequencingSample(
            run=run, sample_id=f"H-{place:04d}", project="HAEM", number=place, indexes="ACGT+TTGA"
        )
        for place in range(1, samples + 1)
    )
    slots = [(row, lane, read) for row in rows for lane in range(1, lanes + 1) for read in ("R1", "R2")]
    SequencingFile.objects.bulk_create(
        add_file(run, row, lane, read, is_there=place >= missing)
        for place, (row, lane, read) in enumerate(slots)
    )
    return run


def add_file(run, sample, lane, read, *, is_there=True, **fields) -> SequencingFile:
    """An expected FASTQ, not yet saved."""
    return SequencingFile(
        **{
            "run": run,
            "sample": sample,
            "file_type": "fastq",
            "path": f"0_fastq/{sample.sample_id}_S{sample.number}_L{lane:03d}_{read}_001.fastq.gz",
            "data_state": DataState.COMPLETE if is_there else DataState.NON_EXISTENT,
            "is_expected": True,
            "lane": lane,
            "read": read,
            "size": 412_000_000 if is_there else None,
            "changed_at": timezone.now(),
        }
        | fields
    )


def add_sheet(
    run: SequencingRun, content: bytes = b"[Data]\nSample_ID,index\nH-0001,ACGT\n", **fields
) -> SampleSheet:
    run.sample_sheets.update(is_current=False)
    return SampleSheet.objects.create(
        **{
            "run": run,
            "version": run.sample_sheets.count() + 1,
            "path": "SampleSheet.csv",
            "format": "v1",
            "sha256": "0" * 64,
            "content": content,
        }
        | fields
    )


def add_message(run: SequencingRun | None = None, **fields) -> Message:
    return Message.objects.create(
        **{
            "run": run,
            "severity": "warning",
            "code": "no_run_parameters",
            "text": "RunParameters.xml is absent.",
            "remedy": "Copy it from the instrument.",
            "key": str(next(_numbers)),
        }
        | fields
    )
