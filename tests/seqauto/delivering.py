"""Deliveries for tests, from the incoming disk to S3, and short ways to say what they left there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from s3_server import RcloneServer

from seqauto import deliveries
from seqauto.delivery_rules import ConverterRules, DeliveryRules, S3Rules
from seqauto.models import Delivery, DeliveryStep, IncomingFolder
from seqauto.models.deliveries import DeliveryState, StepState
from sequencing import demo

# What bcl-convert would make of a run lies ready, by the id in RunInfo.xml: no base calls are needed.
_STAND_IN = """#!/bin/sh
[ "$1" = --version ] && { echo "bcl-convert Version 4.2.7"; exit 0; }
while [ $# -gt 0 ]; do
    case "$1" in
        --bcl-input-directory) run=$2 ;;
        --output-directory) output=$2 ;;
    esac
    shift
done
id=$(sed -n 's/.*<Run .*Id="\\([^"]*\\)".*/\\1/p' "$run/RunInfo.xml")
exec cp -r "$(dirname "$0")/made/$id/Unaligned/." "$output"
"""


def rules_for(folder: Path, server: RcloneServer | None = None, **fields: Any) -> DeliveryRules:
    """Rules of a lab whose disks are folders in `folder`, with a converter that copies what lies ready.

    Nothing waits: each look may settle a run, and lists settled ones again. `fields` replace others.
    """
    incoming, backup, fastq = (folder / name for name in ("incoming", "backup", "fastq"))
    for disk in (incoming, backup, fastq):
        disk.mkdir(exist_ok=True)
    s3 = S3Rules(server.bucket.name, "runs", f"http://127.0.0.1:{server.port}") if server else S3Rules()
    rules = DeliveryRules(
        incoming=[incoming],
        backup_dir=backup,
        fastq_dir=fastq,
        logs_dir=folder / "logs",
        s3=s3,
        converter=ConverterRules(
            ["bcl-convert"],
            {"bcl-convert": str(stand_in_converter(folder))},
            1,
            400,
            hours=1,
            silence_minutes=5,
        ),
        settle_seconds=0,
        relist_seconds=0,
    )
    return replace(rules, **fields)


def stand_in_converter(folder: Path) -> Path:
    """A program with bcl-convert's command line; it makes the FASTQs that `land_run` laid ready."""
    program = folder / "converter" / "bcl-convert"
    program.parent.mkdir(exist_ok=True)
    program.write_text(_STAND_IN)
    program.chmod(0o755)
    return program


def land_run(rules: DeliveryRules, into: str = "", **fields: Any) -> Path:
    """Write a finished run, as the instrument leaves it, into the incoming folder; return its path.

    `fields` are those of `write_run`; a run gets base calls (of no sense) for the cycles of `calls`, ten if
    not given.
    """
    calls = fields.pop("calls", 10)
    made = Path(rules.converter.programs["bcl-convert"]).parent / "made"
    named = {"prefix", "suffix", "markers", "run_info", "parameters", "sheet_text"}
    plain = {name: value for name, value in fields.items() if name not in named}
    demo.write_run(made, **plain, layout="bclconvert")
    run = demo.write_run(rules.incoming[0] / into, **fields, layout="native", fastqs=False)
    for cycle in range(1, calls + 1):
        write_cycle(run, cycle)
    return run


def write_cycle(run: Path, cycle: int) -> None:
    folder = run / "Data" / "Intensities" / "BaseCalls" / "L001" / f"C{cycle}.1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s_1_1101.bcl").write_bytes(b"\1\0\0\0" + bytes([cycle]))


def look(rules: DeliveryRules) -> list[int]:
    """Look at the incoming folders once; return the steps whose turn has come."""
    return deliveries.look_after(rules)


def work(steps: list[int], rules: DeliveryRules) -> None:
    """Do these steps, and those whose turn comes by that, one after another."""
    while steps:
        for step in steps:
            deliveries.work_on(step, rules)
        steps = deliveries.next_steps(rules)


def deliver(rules: DeliveryRules) -> None:
    """Look and work until only instruments or people are waited for."""
    for _ in range(20):
        work(look(rules), rules)
        if not Delivery.objects.filter(state__in=(DeliveryState.SETTLING, DeliveryState.DELIVERING)).exists():
            return
    raise AssertionError(
        f"never came to rest: {list(Delivery.objects.values_list('name', 'state', 'reason'))}"
    )


def delivery_of(run: Path) -> Delivery:
    return Delivery.objects.get(path=str(run))


def state_of(run: Path) -> DeliveryState:
    return DeliveryState(delivery_of(run).state)


def step_of(run: Path, kind: str) -> DeliveryStep:
    return delivery_of(run).steps.get(kind=kind)


def steps_of(run: Path) -> dict[str, StepState]:
    return {step.kind: StepState(step.state) for step in delivery_of(run).steps.all()}


def events_of(run: Path) -> list[str]:
    """What happened, oldest first."""
    return list(delivery_of(run).events.order_by("pk").values_list("text", flat=True))


def folder_row(rules: DeliveryRules) -> IncomingFolder:
    return IncomingFolder.objects.get(path=rules.roots[0])


def whole_story() -> dict[str, list[tuple]]:
    """Every row that says what is known of deliveries, but when it was looked at: for "nothing changed"."""
    looked = {"listed_at", "looked_at"}
    return {
        model.__name__: list(
            model.objects.order_by("pk").values_list(
                *[field.name for field in model._meta.concrete_fields if field.name not in looked]
            )
        )
        for model in (Delivery, DeliveryStep, IncomingFolder)
    }


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
