"""What the database knows of a folder that might go. Asks no disk and no network, and changes nothing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db.models import Max

from sequencing.disk import printable
from sequencing.s3 import META_NAME

from . import dates
from .clean_up_rules import CleanUpRules
from .gates import FASTQS, NOT_LOOKED_AT, SOURCE, Facts, Seen
from .holdings import figures_in, has_made
from .holds import holds_at, told_of
from .models import Delivery, DeliveryStep, Hold, IncomingFolder, Proof, Removal
from .models.clean_up import UNDER_WAY, RemovalState
from .models.deliveries import DeliveryState, StepKind, StepState

log = logging.getLogger(__name__)

_MOST_NAMED = 3
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the folder of a target stands; None where no step has made one, or no setting names its disk."""

    path: Path | None
    root: Path | None


def place_of(delivery: Delivery, target: str, rules: CleanUpRules) -> Place:
    if target == SOURCE:
        disk = Path(delivery.root)
        return Place(Path(delivery.path), disk if disk in rules.delivery.incoming else None)
    kind = StepKind.CONVERT if target == FASTQS else StepKind.BACK_UP
    step = steps_of(delivery).get(kind)
    folder = figures_in(step).get("folder") if step and has_made(step) else None
    root = rules.delivery.fastq_dir if target == FASTQS else rules.delivery.backup_dir
    return Place(Path(folder) if folder else None, root)


def known(deliveries: Sequence[Delivery], now: datetime, *, fastqs_suffice: bool = False) -> dict[int, Facts]:
    """What the database alone knows of many deliveries, by primary key; prefetch their steps.

    For pages, which wait for no disk and no network: what only a look would tell is not known.
    """
    records = records_of(deliveries, now, fastqs_suffice=fastqs_suffice)
    return {one.pk: _as_recorded(one, records) for one in deliveries}


def _as_recorded(delivery: Delivery, records: Records) -> Facts:
    """One run whose records make no sense closes its own gates and not the page of all others."""
    try:
        return facts_of(delivery, steps_of(delivery), records)
    except DatabaseError:
        raise
    except Exception as unexpected:
        log.exception("%s: what is recorded of it makes no sense", delivery.name)
        told = f"What is recorded of it makes no sense: {unexpected!r}. The log has the traceback."
        return Facts(delivered=Seen(False, told))


@dataclass(frozen=True, slots=True)
class Records:
    """What is written of deliveries in other tables: holds and last proofs by delivery, troubles by root.

    `leaving` are the deliveries whose run folder is on its way out, by its state.
    """

    holds: Mapping[int, Hold]
    proofs: Mapping[int, Proof]
    troubles: Mapping[str, str]
    leaving: Mapping[int, str]
    fastqs_suffice: bool


def records_of(deliveries: Sequence[Delivery], now: datetime, *, fastqs_suffice: bool = False) -> Records:
    of = [delivery.pk for delivery in deliveries]
    newest = Proof.objects.filter(delivery__in=of, what=Proof.What.BACKUP).order_by().values("delivery")
    proofs = Proof.objects.filter(pk__in=newest.annotate(last=Max("pk")).values("last"))
    disks = IncomingFolder.objects.filter(path__in={delivery.root for delivery in deliveries})
    holds = holds_at(now).filter(delivery__in=of).order_by("created_at", "pk")
    leaving = Removal.objects.filter(delivery__in=of, target=SOURCE, state__in=UNDER_WAY)
    return Records(
        holds={hold.delivery_id: hold for hold in holds},
        proofs={proof.delivery_id: proof for proof in proofs},
        troubles={disk.path: disk.error for disk in disks.exclude(error="")},
        leaving={} if fastqs_suffice else dict(leaving.values_list("delivery", "state")),
        fastqs_suffice=fastqs_suffice,
    )


def steps_of(delivery: Delivery) -> dict[str, DeliveryStep]:
    return {step.kind: step for step in delivery.steps.all()}


def figures_of(steps: Mapping[str, DeliveryStep], kind: str) -> Figures:
    """What a step found and made; nothing unless it is done."""
    step = steps.get(kind)
    return step.figures if step and step.state == StepState.DONE else {}


def facts_of(delivery: Delivery, steps: Mapping[str, DeliveryStep], records: Records) -> Facts:
    """All but what only a look at disks and S3 would tell."""
    settle = steps.get(StepKind.SETTLE)
    backup, upload = figures_of(steps, StepKind.BACK_UP), figures_of(steps, StepKind.UPLOAD)
    backed_up_at = moment(backup.get("verified_at"))
    uploads = [moment(project.get("uploaded_at")) for project in upload.get("projects", ())]
    verified, verified_at = _backup_verified(records.proofs.get(delivery.pk), backed_up_at)
    return Facts(
        delivered=_delivered(delivery),
        idle=_idle(delivery, steps, records.troubles.get(delivery.root, "")),
        unheld=unheld(delivery, records.holds.get(delivery.pk)),
        converted=_converted(delivery, figures_of(steps, StepKind.CONVERT)),
        uploaded=_uploaded(figures_of(steps, StepKind.CONVERT), upload),
        another_copy=NOT_LOOKED_AT if records.fastqs_suffice else _source_stays(delivery, records),
        backup_verified=verified,
        backup_verified_at=verified_at,
        found_at=delivery.found_at,
        settled_at=settle.ended_at if settle and settle.state == StepState.DONE else None,
        backed_up_at=backed_up_at,
        uploaded_at=max((at for at in uploads if at), default=None) if all(uploads) else None,
        delivered_at=delivery.delivered_at,
    )


def moment(text: object) -> datetime | None:
    """A date of a step's figures; None for one that is none, or says no zone."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _delivered(delivery: Delivery) -> Seen:
    state = f"{delivery.get_state_display()}. {delivery.reason}".strip()
    return Seen(delivery.state == DeliveryState.DELIVERED, state)


_OF_EVERY_RUN = (StepKind.SETTLE, StepKind.BACK_UP, StepKind.CONVERT, StepKind.UPLOAD)


def _idle(delivery: Delivery, steps: Mapping[str, DeliveryStep], trouble: str) -> Seen:
    open_steps = [f"{step.get_kind_display()}: {step.get_state_display()}" for step in steps.values()
                  if step.state != StepState.DONE]  # fmt: skip
    missing = [kind.label for kind in _OF_EVERY_RUN if kind not in steps]
    if open_steps or missing:
        return Seen(False, f"Not done: {', '.join(open_steps + missing)}.")
    if delivery.needs_a_person:
        return Seen(False, f"It waits for a person: {delivery.reason}")
    return Seen(False, trouble) if trouble else Seen(True, "Every step is done.")


def unheld(delivery: Delivery, hold: Hold | None) -> Seen:
    if delivery.is_held:
        return Seen(False, "The delivery is on hold.")
    if hold is None:
        return Seen(True, "No hold.")
    return Seen(False, told_of(hold))


def _source_stays(delivery: Delivery, records: Records) -> Seen:
    """What leaves or may leave already is no copy that stays; whether one does only a look tells."""
    if delivery.gone_at:
        return Seen(False, "This is the only copy of the base calls: the run folder is gone.")
    if state := records.leaving.get(delivery.pk):
        on_its_way = f"its removal is under way ({RemovalState(state).label})"
        return Seen(False, f"The run folder does not stay: {on_its_way}. Then this is the only copy.")
    return NOT_LOOKED_AT


def _converted(delivery: Delivery, made: Figures) -> Seen:
    files = made.get("files")
    if not files:
        return Seen(False, "No FASTQs are recorded.")
    if not delivery.listing or made.get("run_listing") != delivery.listing:
        return Seen(False, "The FASTQs were made before files of the run changed.")
    left = len(_undetermined(files))
    of_whom = f", {len(files) - left:,} of samples and {left:,} Undetermined" if left else ""
    return Seen(
        True, f"{len(files):,} FASTQs of {made.get('converter', 'a converter')}{of_whom}, all judged."
    )


def _undetermined(files: Iterable[Figures]) -> list[Figures]:
    return [one for one in files if one["sample_id"] == "Undetermined"]


def _uploaded(made: Figures, upload: Figures) -> Seen:
    """Every FASTQ of a sample is an object of its size, with its checksum; no object proves nothing."""
    projects = upload.get("projects") or []
    objects = [one for project in projects for one in project.get("objects", ())]
    if not upload.get("bucket") or not objects:
        return Seen(False, "No objects are recorded.")
    unproven = [project["project"] for project in projects if not project.get("verified_by")]
    unproven += [one["key"] for one in objects if not str(one.get("checksum", "")).startswith("md5 ")]
    if unproven:
        return Seen(False, f"Not verified: {some(unproven)}.")
    files = made.get("files", ())
    of_samples = [one for one in files if one["sample_id"] != "Undetermined"]
    wanted = Counter((one["path"].rpartition("/")[2], one["size"]) for one in of_samples)
    there = Counter((one["key"].rpartition("/")[2], one["size"]) for one in objects)
    missing = wanted - there
    if missing or not wanted or any(not _has_meta(project) for project in projects):
        names = [name for name, _size in missing] or [META_NAME]
        return Seen(False, f"Not among the objects: {some(names)}.")
    size, left = sum(one["size"] for one in objects), _undetermined(files)
    others = len(objects) - len(of_samples)
    told = f"{_count(len(objects), 'object')}, {size:,} bytes, in s3://{upload['bucket']}, each with its MD5."
    told += f" They are {_count(len(of_samples), 'FASTQ')} and {_count(others, 'other file')}."
    if not left:
        return Seen(True, told)
    lost = f"{len(left):,} Undetermined FASTQs ({sum(one['size'] for one in left):,} bytes) are not in S3"
    return Seen(True, f"{told} {lost}: they can be made again from the base calls only.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _has_meta(project: Figures) -> bool:
    return any(one["key"].endswith(f"/{META_NAME}") for one in project.get("objects", ()))


def _backup_verified(newest: Proof | None, backed_up_at: datetime | None) -> tuple[Seen, datetime | None]:
    """The newest word on the backup: read again since, or read back when it was made."""
    proof = _since(newest, backed_up_at)
    if proof:
        said = f"Read again on {dates.moment(proof.at)}: "
        said += f"{proof.bytes:,} bytes as in the manifest." if proof.is_good else some(proof.differences)
        return Seen(proof.is_good, said), proof.at
    if backed_up_at is None:
        return Seen(False, "The backup was never verified."), None
    return Seen(True, f"Read back and equal when it was made, on {dates.moment(backed_up_at)}."), backed_up_at


def newest_proof(delivery: Delivery, what: str, made_at: datetime | None) -> Proof | None:
    """The last proof of what was made at that time; those of what stood there before count no more."""
    return _since(delivery.proofs.filter(what=what).order_by("-pk").first(), made_at)


def _since(proof: Proof | None, made_at: datetime | None) -> Proof | None:
    return proof if proof and (made_at is None or proof.at >= made_at) else None


def some(texts: Iterable[str]) -> str:
    named = [printable(str(text)) for text in texts]
    more = f", and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return ", ".join(named[:_MOST_NAMED]) + more
