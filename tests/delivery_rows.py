"""Deliveries as the pages show them, written straight to the database: of any state and nastiness."""

from datetime import date, timedelta
from itertools import count as counter
from typing import Any

from django.utils import timezone

from seqauto.models import Delivery, DeliveryStep
from seqauto.models.deliveries import DeliveryState, StepKind, StepState

_numbers = counter(1)
GIGABYTE = 1_000_000_000

_DONE, _WAITING = StepState.DONE, StepState.WAITING
#: How the steps of a delivery stand where the test does not say.
STEPS = {
    DeliveryState.SEQUENCING: (_WAITING,) * 4,
    DeliveryState.STALLED: (_WAITING,) * 4,
    DeliveryState.RUN_FAILED: (_WAITING,) * 4,
    DeliveryState.SETTLING: (StepState.RUNNING, _WAITING, _WAITING, _WAITING),
    DeliveryState.DELIVERING: (_DONE, StepState.RUNNING, _WAITING, _WAITING),
    DeliveryState.WAITING: (_DONE, _DONE, StepState.FAILED, _WAITING),
    DeliveryState.HELD: (_DONE, _WAITING, _WAITING, _WAITING),
    DeliveryState.DELIVERED: (_DONE,) * 4,
    DeliveryState.GONE: (_DONE,) * 4,
}


def add_delivery(
    state: DeliveryState = DeliveryState.DELIVERED, steps: Any = None, ago=timedelta(hours=5), **fields
) -> Delivery:
    """A delivery in `state`, with steps that fit it; those of a folder that is no run are none."""
    number = next(_numbers)
    found = timezone.now() - ago
    name = fields.pop("name", f"2611{number % 28 + 1:02d}_M02027_{number:04d}_000000000-A{number:04d}")
    complete = {} if state in (DeliveryState.SEQUENCING, DeliveryState.STALLED) else {"complete_at": found}
    if state == DeliveryState.DELIVERED:
        complete["delivered_at"] = found + timedelta(hours=2)
    delivery = Delivery.objects.create(
        **{
            "name": name,
            "root": "/incoming",
            "path": f"/incoming/{number}/{name}",
            "identity": f"M02027/{number}/A{number:04d}",
            "instrument": "M02027",
            "model": "MiSeq",
            "run_number": number,
            "flowcell": f"000000000-A{number:04d}",
            "date": date(2026, 11, number % 28 + 1),
            "state": state,
            "found_at": found,
            "files": 4_812,
            "bytes": 14 * GIGABYTE,
        }
        | complete
        | fields
    )
    states = STEPS.get(state, ()) if steps is None else steps
    for place, (kind, step_state) in enumerate(zip(StepKind, states, strict=False), start=1):
        add_step(delivery, kind, place, step_state)
    return delivery


def add_step(delivery: Delivery, kind: StepKind, place: int, state: StepState) -> DeliveryStep:
    """One step that began twenty minutes after the one before it, with the figures it would have by then."""
    began = delivery.found_at + timedelta(minutes=20 * place)
    fields: dict[str, Any] = {}
    if state in (StepState.DONE, StepState.FAILED):
        took = timedelta(minutes=2, seconds=11)
        fields = {"started_at": began, "ended_at": began + took, "attempts": 1, "worker": "labsrv1:4711"}
    if state == StepState.DONE:
        fields |= {"figures": figures_of(delivery)[kind], "bytes_done": 14 * GIGABYTE}
    if state == StepState.RUNNING:
        fields = {
            "started_at": timezone.now() - timedelta(minutes=1),
            "attempts": 1,
            "worker": "labsrv1:4711",
            "bytes_done": 5_740_000_000,
            "bytes_total": 14 * GIGABYTE,
        }
    if state == StepState.QUEUED:
        fields = {"queued_at": timezone.now()}
    return DeliveryStep.objects.create(delivery=delivery, kind=kind, place=place, state=state, **fields)


def figures_of(delivery: Delivery) -> dict[StepKind, dict[str, Any]]:
    """What each step writes down of a MiSeq run of twelve samples."""
    backup = f"/backup/{delivery.name}"
    samples = [f"H-22{number:02d}" for number in range(18, 30)]
    reads = [0 if name == "H-2229" else 2_000_000 - 31_007 * place for place, name in enumerate(samples)]
    files = [
        {
            "path": f"HAEM/{name}_S{place}_L001_{read}_001.fastq.gz",
            "project": "HAEM",
            "sample_id": name,
            "lane": 1,
            "read": read,
            "size": 412_000_000,
        }
        for place, name in enumerate(samples, start=1)
        for read in ("R1", "R2")
    ]
    key = f"fastq/HAEM/M02027_{delivery.run_number}"
    return {
        StepKind.SETTLE: {
            "files": 4_812,
            "bytes": 14 * GIGABYTE,
            "first_seen": "2026-11-21T03:02:11+00:00",
            "last_seen": "2026-11-21T03:12:15+00:00",
            "markers": ["RTAComplete.txt", "CopyComplete.txt"],
            "completion": "Completed as planned.",
        },
        StepKind.BACK_UP: {
            "folder": backup,
            "manifest": f"{backup}.manifest.tsv",
            "files": 4_812,
            "bytes": 14 * GIGABYTE,
            "algorithm": "xxh3-128",
            "verified_at": "2026-11-21T03:14:31+00:00",
            "already_there": False,
            "remarks": ["1 link was copied as a link: Recipe/current."],
        },
        StepKind.CONVERT: {
            "converter": "bcl-convert",
            "version": "4.3.6",
            "commands": [["bcl-convert", "--bcl-input-directory", delivery.path, "--strict-mode", "true"]],
            "folder": f"/fastq/{delivery.name}",
            "adopted": False,
            "sheet_sha256": "9c1f" * 16,
            "warnings": [
                {
                    "severity": "warning",
                    "code": "empty_fastq",
                    "message": "H-2229 has no reads.",
                    "remedy": "Look for its index among the unknown ones.",
                    "row": 30,
                    "column": "index",
                    "text": "TAAGGCGA",
                }
            ],
            "files": files,
            "demultiplexing": {
                "samples": [
                    {"lane": 1, "project": "HAEM", "sample_id": name, "index": "TAAGGCGA", "reads": count}
                    for name, count in zip(samples, reads, strict=True)
                ],
                "undetermined": [{"lane": 1, "reads": 704_112}],
                "unknown": [{"lane": 1, "index": "GGGGGGGG+AGATCTCG", "reads": 310_204}],
                "total": sum(reads) + 704_112,
            },
        },
        StepKind.UPLOAD: {
            "bucket": "lab-fastq",
            "projects": [
                {
                    "project": "HAEM",
                    "prefix": key,
                    "files": len(files),
                    "bytes": 9_888_000_000,
                    "verified_by": "CRC64NVME of each object",
                    "uploaded_at": "2026-11-21T04:02:11+00:00",
                    "objects": [
                        {"key": f"{key}/{file['path']}", "size": file["size"], "checksum": "Zm9vYmFyYmE="}
                        for file in files
                    ],
                }
            ],
            "left_out": "Undetermined reads stay on the server.",
        },
    }


PROBLEMS = [
    {
        "severity": "error",
        "code": "duplicate_index",
        "message": "This index is used by H-2211 in lane 1 already",
        "remedy": "Give each sample of a lane an index of its own.",
        "row": 14,
        "column": "index",
        "text": "TAAGGCGA+TAGATCGC",
        "can_override": True,
    },
    {
        "severity": "error",
        "code": "no_sample_id",
        "message": "A sample has no name",
        "remedy": "Fill in Sample_ID.",
        "row": 17,
        "column": "Sample_ID",
        "text": "",
        "can_override": False,
    },
]


def fail(delivery: Delivery, kind: StepKind = StepKind.CONVERT, **fields: Any) -> DeliveryStep:
    """Let a step of the delivery have failed, for two problems of its sample sheet."""
    step = delivery.steps.get(kind=kind)
    fields = {
        "state": StepState.FAILED,
        "code": "sheet",
        "error": "SampleSheet.csv has 2 errors, so nothing was converted.",
        "remedy": "Mend the rows below, save the sheet into the run folder, then press Retry.",
        "problems": PROBLEMS,
    } | fields
    for name, value in fields.items():
        setattr(step, name, value)
    step.save()
    delivery.reason, delivery.remedy = step.error, step.remedy
    delivery.save()
    return step
