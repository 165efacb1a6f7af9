"""Removals as the pages show them: what is on its way out and what one may do, what has ended, certificates.

All is told by the database: no page waits for a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, Subquery
from django.db.models.functions import Coalesce

from seqauto import clean_up as story
from seqauto.clean_up_rules import CleanUpRules, clean_up_rules_of_settings
from seqauto.gates import Gate
from seqauto.holdings import figures_in, holding
from seqauto.holds import holds_at, told_of
from seqauto.models import AuditEntry, Delivery, DeliveryStep, Hold, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import StepKind, StepState
from seqauto.removal_rows import root_of, waits_for_approval
from seqauto.roles import CAN_APPROVE
from sequencing.removing import QUARANTINE, RemoveProblem

from . import PageRequest
from .evidence import evidence_of as step_evidence

ENDED = (RemovalState.REMOVED, RemovalState.PUT_BACK)


# --- On its way out ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A removal as the page shows it, with what the one who looks at it may do."""

    removal: Removal
    needs_a_person: bool
    what_next: str
    held: str
    until: datetime | None
    may_approve: bool


def on_their_way(
    removals: Iterable[Removal],
    rules: CleanUpRules,
    request: PageRequest,
    now: datetime,
    held: Iterable[Hold] | None = None,
) -> list[OnItsWay]:
    """`held` are the holds of these that count now; they are asked for where nobody has asked before."""
    removals = list(removals)
    found = holds_at(now).filter(delivery__in={one.delivery_id for one in removals}) if held is None else held
    holds = {hold.delivery_id: hold for hold in found}
    return [_on_its_way(one, holds.get(one.delivery_id), rules, request) for one in removals]


def _on_its_way(removal: Removal, hold: Hold | None, rules: CleanUpRules, request: PageRequest) -> OnItsWay:
    waits, is_own = waits_for_approval(removal, rules), story.is_own(removal, request.user)
    may_approve = waits and not is_own and request.user.has_perm(CAN_APPROVE)
    since = removal.quarantined_at if removal.state == RemovalState.QUARANTINED else None
    return OnItsWay(
        removal=removal,
        needs_a_person=waits or removal.state == RemovalState.STOPPED,
        what_next=_who_approves(removal, is_own, may_approve) if waits else _what_next(removal),
        held=told_of(hold) if hold else "",
        until=since + timedelta(hours=rules.grace_hours) if since and not hold else None,
        may_approve=may_approve,
    )


def _who_approves(removal: Removal, is_own: bool, may_approve: bool) -> str:
    if is_own:
        return "You proposed it, so another person must approve it."
    if may_approve:
        return f"{removal.proposed_by} proposed it. Approve it if it may go."
    return "Another person must approve it."


def _what_next(removal: Removal) -> str:
    if removal.state in (RemovalState.APPROVED, RemovalState.PROPOSED):
        return "At the next turn everything is looked at, then it goes into quarantine."
    return ""


# --- What has ended ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    removal: Removal
    by: str
    """Who removed it, or put it back."""


def ended(before: int, shown: int) -> tuple[list[Ended], int | None]:
    """What ended last, below that with the key `before`, and the key to go on from."""
    dated = Removal.objects.annotate(at=Coalesce("ended_at", "proposed_at"))
    found = dated.filter(state__in=ENDED).order_by("-at", "-pk")
    if before:
        last = Subquery(dated.filter(pk=before).values("at"))
        found = found.filter(Q(at__lt=last) | Q(at=last, pk__lt=before))
    # Only their keys are sorted: a row is wide.
    page_of = dated.filter(pk__in=found.values("pk")[: shown + 1]).order_by("-at", "-pk")
    rows = list(page_of.select_related("delivery").defer("manifest", "evidence"))
    who = {} if not rows else _who_did(rows[:shown], [f"removal.{state}" for state in ENDED])
    page = [Ended(one, who.get((one.pk, f"removal.{one.state}"), "")) for one in rows[:shown]]
    return page, page[-1].removal.pk if len(rows) > shown else None


def _who_did(removals: Sequence[Removal], actions: Iterable[str]) -> dict[tuple[int | None, str], str]:
    """Who did it last, by removal and action; what the audit does not know is not there."""
    entries = AuditEntry.objects.filter(
        kind="removal", key__in=[one.pk for one in removals], action__in=list(actions)
    )
    return {
        (key, action): who for key, action, who in entries.order_by("pk").values_list("key", "action", "who")
    }


# --- Certificates --------------------------------------------------------------------------------------


def who_carried_out(removal: Removal) -> Mapping[str, str]:
    """Who put it into quarantine, and who removed it or put it back."""
    quarantined, last = "removal.quarantined", f"removal.{removal.state}"
    who = _who_did([removal], [quarantined, last])
    ended = who.get((removal.pk, last), "") if removal.state in ENDED else ""
    return {"quarantined": who.get((removal.pk, quarantined), ""), "ended": ended}


def place_in_quarantine(removal: Removal, rules: CleanUpRules) -> str:
    """Where it stands now; "" where it stands in no quarantine."""
    if not removal.is_in_quarantine or not removal.tombstone:
        return ""
    try:
        return str(root_of(removal, rules) / QUARANTINE / removal.tombstone)
    except RemoveProblem:  # its disk is named no more
        return ""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where the other copies of a run's data are, as far as the database knows."""

    places: Sequence[tuple[str, str]]
    """(what, where)"""
    give_back: str


def elsewhere(removal: Removal) -> Elsewhere:
    delivery = removal.delivery
    steps = {step.kind: step for step in delivery.steps.all()}
    removed = list(delivery.removals.defer("manifest", "evidence"))
    give_back = _GIVE_BACK[Target(removal.target)].format(name=delivery.name)
    return Elsewhere(list(_places(removal, delivery, steps, removed)), give_back)


_GIVE_BACK = {
    Target.SOURCE: "manage.py restore_run {name} --to DIR gives the run back from its backup.",
    Target.FASTQS: "The FASTQs are in S3; those of no sample can be made again from the backup.",
    Target.BACKUP: "The run folder can be backed up anew as long as it is there.",
}


def _places(
    removal: Removal, delivery: Delivery, steps: Mapping[str, DeliveryStep], removed: Sequence[Removal]
) -> Iterator[tuple[str, str]]:
    if removal.target != Target.SOURCE and not delivery.gone_at:
        yield "Run folder", delivery.path
    backup = steps.get(StepKind.BACK_UP)
    if removal.target != Target.BACKUP and backup and backup.state == StepState.DONE:
        folder = figures_in(backup).get("folder")
        if folder and not any(one.took(folder, backup.ended_at) for one in removed):
            yield "Backup", folder
    upload = steps.get(StepKind.UPLOAD)
    if upload and upload.state == StepState.DONE:
        yield from (("FASTQs", project.address) for project in step_evidence(upload).projects)


def evidence_of(removal: Removal) -> Iterator[Gate]:
    """The gates as they were recorded; a certificate outlives the code that wrote it."""
    recorded = removal.evidence if isinstance(removal.evidence, list) else []
    return (_as_recorded(gate) for gate in recorded if isinstance(gate, dict))


def _as_recorded(gate: Mapping[str, Any]) -> Gate:
    name, sentence, evidence = (str(gate.get(key, "")) for key in ("name", "sentence", "evidence"))
    return Gate(name, sentence, gate.get("passed") is True, gate.get("is_known") is not False, evidence)


# --- On a delivery's own page --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places that hold a run's data: what stands there, or the last removal from it."""

    label: str
    bytes: int | None
    removal: Removal | None
    on_its_way: OnItsWay | None


@dataclass(frozen=True, slots=True)
class CleanUp:
    """What clean-up did and may do with a run; `folder` says what became of its folder, "" for nothing."""

    places: Sequence[Place]
    holds: Sequence[Hold]
    folder: str


def clean_up_of(delivery: Delivery, request: PageRequest, now: datetime) -> CleanUp | None:
    """None for a run of which nothing may be removed yet, and nothing was."""
    removals = list(
        delivery.removals.order_by("-pk").defer("manifest", "evidence").select_related("delivery")
    )
    holds = list(holds_at(now).filter(delivery=delivery))
    if not (removals or holds or delivery.delivered_at):
        return None
    rules, held = clean_up_rules_of_settings(), holding(delivery)
    open_ones = [one for one in removals if one.state in story.UNDER_WAY]
    under_way = {one.removal.target: one for one in on_their_way(open_ones, rules, request, now)}
    places = []
    for target in Target:
        last = next((one for one in removals if one.target == target), None)
        size = held.of(target)
        if last or size is not None:
            places.append(Place(target.label, size, last, under_way.get(target)))
    return CleanUp(places, holds, _what_became_of(delivery, removals))


def _what_became_of(delivery: Delivery, removals: Sequence[Removal]) -> str:
    taken = next(
        (one for one in removals if one.target == Target.SOURCE and one.took(delivery.path, None)), None
    )
    if taken is None or not (delivery.gone_at or taken.is_in_quarantine):
        return ""
    return "In quarantine" if taken.is_in_quarantine else "Cleaned up"
