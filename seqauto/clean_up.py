"""The story of a clean-up: what is proven to exist elsewhere leaves the disk; a certificate stays for ever.

    plan → propose → approve → quarantine → grace period → look again → remove → certificate

Here stand the plan, what people and rules decide, and the turn that goes on with everything; the way of one
folder is told in `removal_work`. One that makes trouble never stops the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from sequencing.removing import RemoveProblem

from . import strays
from .audit import command_line_of
from .clean_up_facts import known, place_of
from .clean_up_rules import CleanUpRules
from .clean_up_s3 import asking_the_silent_once
from .clean_up_survey import survey
from .gates import Facts, Gate, all_open, gates
from .holdings import holding
from .models import Delivery, Removal
from .models.clean_up import UNDER_WAY, RemovalState
from .removal_rows import (
    By,
    CleanUpRefused,
    claim,
    evidence_of,
    let_go,
    name_of,
    record,
    tombstone_of,
    turn,
    why_it_stays,
)
from .removal_work import LIMIT, carry_out, end_in_place
from .roles import CAN_APPROVE, CAN_CLEAN_UP

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A folder that might go, what it would free, and every gate that lies before that."""

    delivery: Delivery
    target: str
    path: Path
    files: int
    bytes: int
    gates: tuple[Gate, ...]
    stays: str = ""
    """Why only a person's word takes it, though every gate may be open."""

    @property
    def may_go(self) -> bool:
        """Whether it goes by itself."""
        return all_open(self.gates) and not self.stays


# ---- the plan ----


@asking_the_silent_once()
def plan(
    rules: CleanUpRules, names: Sequence[str] = (), *, but: Container[tuple[int, str]] = ()
) -> list[Candidate]:
    """Every folder that a rule is about, as the page has them, the longest delivered first. Changes nothing.

    Of runs that were delivered once (one whose backup is damaged by now must stay, and says so), or of those
    with these names (or paths), wherever they stand; `but` for some, by delivery and target. What a person
    put back stays unless it is named.
    """
    wanted = Q(name__in=names) | Q(path__in=names) if names else Q(delivered_at__isnull=False)
    deliveries = Delivery.objects.filter(wanted).exclude(identity=None).order_by("delivered_at", "pk")
    back = {} if names else put_back()
    return [
        replace(candidate(delivery, target, rules), stays=back.get((delivery.pk, target), ""))
        for delivery in deliveries
        for target in standing(delivery, rules)
        if (delivery.pk, target) not in but
    ]


def standing(delivery: Delivery, rules: CleanUpRules) -> list[str]:
    """Of which targets a run has something here that a rule is about and nobody removes, by the database."""
    held = holding(delivery)
    busy = {one.target for one in delivery.removals.all() if one.state in UNDER_WAY}
    on = (target for target, rule in rules.rules.items() if rule.is_on and target not in busy)
    return [target for target in on if held.of(target) is not None]


def put_back() -> dict[tuple[int, str], str]:
    """Why what was put back once stays, by delivery and target."""
    rows = Removal.objects.filter(state=RemovalState.PUT_BACK).order_by("pk").defer("manifest", "evidence")
    return {(removal.delivery_id, removal.target): why_it_stays(removal) for removal in rows}


def left_alone(rules: CleanUpRules) -> list[Candidate]:
    """What a turn leaves because it was put back once, as the database knows it."""
    back = put_back()
    deliveries = Delivery.objects.in_bulk({delivery for delivery, _target in back})
    return [
        replace(known_candidate(deliveries[delivery], target, rules), stays=why)
        for (delivery, target), why in back.items()
        if target in standing(deliveries[delivery], rules)
    ]


def candidate(delivery: Delivery, target: str, rules: CleanUpRules) -> Candidate:
    """Look at the database, the disks and S3."""

    def look() -> Candidate:
        path, seen = place_of(delivery, target, rules).path, survey(delivery, target, rules)
        judged = gates(seen.facts, rules.rules[target], seen.now)
        size = seen.bytes or holding(delivery).of(target) or 0
        return Candidate(delivery, target, path or Path(), seen.files, size, judged)

    return _understood(look, delivery, target)


def known_candidate(delivery: Delivery, target: str, rules: CleanUpRules) -> Candidate:
    """What the database alone knows, for pages, which wait for no disk and no network."""

    def look() -> Candidate:
        path, now = place_of(delivery, target, rules).path, timezone.now()
        judged = gates(_known(delivery, now, rules), rules.rules[target], now)
        return Candidate(delivery, target, path or Path(), 0, holding(delivery).of(target) or 0, judged)

    return _understood(look, delivery, target)


def _known(delivery: Delivery, now: datetime, rules: CleanUpRules) -> Facts:
    return known([delivery], now, fastqs_suffice=rules.fastqs_suffice)[delivery.pk]


def _understood(look: Callable[[], Candidate], delivery: Delivery, target: str) -> Candidate:
    """What was looked at; where its records make no sense it must stay, and the others go on."""
    try:
        return look()
    except DatabaseError:
        raise
    except Exception as unexpected:
        log.exception("%s, %s: could not be looked at", delivery.name, target)
        told = f"{unexpected!r}; the log has the traceback."
        closed = Gate("looked_at", "All that is known of it can be understood", False, True, told)
        return Candidate(delivery, target, Path(delivery.path), 0, 0, (closed,))


def under_way(names: Sequence[str] = ()) -> QuerySet[Removal]:
    """Removals that have begun and not ended, the oldest first."""
    wanted = Q(delivery__name__in=names) | Q(delivery__path__in=names) if names else Q()
    found = Removal.objects.filter(wanted, state__in=UNDER_WAY).order_by("pk")
    return found.defer("manifest").select_related("delivery")


# ---- what people and rules decide ----


def propose(one: Candidate, rules: CleanUpRules, by: By) -> Removal:
    """Write down that a folder is to go. It waits for a second person where the lab asks for one.

    A gate that is known to be closed refuses it. One that nobody looked at does not: everything is looked at
    before anything happens to the folder.
    """
    _must_have(by, CAN_CLEAN_UP)
    closed = [gate for gate in one.gates if gate.is_known and not gate.passed]
    if closed or not one.gates:
        told = " ".join(gate.why_closed for gate in closed)
        raise CleanUpRefused(f"{one.delivery.name} must stay. {told}")
    state = RemovalState.PROPOSED if rules.needs_approval else RemovalState.APPROVED
    try:
        with transaction.atomic():
            removal = Removal.objects.create(
                delivery=one.delivery,
                target=one.target,
                path=str(one.path),
                state=state,
                files=one.files,
                bytes=one.bytes,
                rule=rules.rules[one.target].as_json(),
                evidence=evidence_of(one.gates),
                proposed_by=name_of(by),
            )
            record("removal.proposed", removal, by, {}, {"state": state, "bytes": one.bytes})
    except IntegrityError:
        raise CleanUpRefused(f"The removal of {one.path} is under way already.") from None
    return removal


def approve(removal: Removal, user: User, reason: str = "") -> None:
    """The second person's yes, also to what is in quarantine already; never the first one's own."""
    _must_have(user, CAN_APPROVE)
    if is_own(removal, user):
        raise CleanUpRefused("You proposed it, so another person must approve it.")
    values: dict[str, Any] = {"approved_at": Now(), "approved_by": user.get_username()}
    state = RemovalState(removal.state)
    if state == RemovalState.STOPPED or removal.approved_by:
        raise CleanUpRefused("It does not wait for approval.")
    after = RemovalState.APPROVED if state == RemovalState.PROPOSED else state
    turn(removal, (state,), after, user, reason, action="removal.approved", **values)


def is_own(removal: Removal, user: User) -> bool:
    """Whether a person proposed it: on the web, or on this machine under the same name."""
    name = user.get_username()
    own = {name.casefold(), command_line_of(name).casefold()}
    return removal.proposed_by.casefold() in own


def withdraw(removal: Removal, rules: CleanUpRules, user: User, reason: str) -> None:
    """Let the folder stay; one in quarantine gets its place back, as long as all of it is there."""
    _must_have(user, CAN_CLEAN_UP)
    if not claim(removal, rules):
        raise CleanUpRefused("It is being carried out at this moment.")
    try:
        removal.refresh_from_db()
        stone = tombstone_of(removal, rules)
        if stone and stone.state in ("half_removed", "removed"):
            raise CleanUpRefused("A part of it is removed already. Restore the run from its backup.")
        end_in_place(removal, rules, stone, user, reason)
    except RemoveProblem as problem:
        raise CleanUpRefused(str(problem)) from problem
    finally:
        let_go(removal)


def go_on(removal: Removal, by: By, reason: str = "") -> None:
    """A person's word that a stopped removal goes on; every gate is asked again.

    The limit of a day is, too, unless it had stopped there and the person says why this one may pass it.
    """
    _must_have(by, CAN_CLEAN_UP)
    is_allowed = not isinstance(by, str) and removal.error.startswith(LIMIT) and bool(reason.strip())
    allowed = {"beyond_limit": {"by": name_of(by), "reason": reason}} if is_allowed else {}
    if removal.tombstone:
        state = RemovalState.QUARANTINED
    else:
        state = RemovalState.APPROVED if removal.approved_by else RemovalState.PROPOSED
    turn(
        removal, (RemovalState.STOPPED,), state, by, reason, action="removal.let_go_on", also=allowed,
        error="", remedy="", rule={**removal.rule, **allowed},
    )  # fmt: skip


def _must_have(by: By, permission: str) -> None:
    if not isinstance(by, str) and not by.has_perm(permission):
        raise CleanUpRefused(f"{by.get_username()} may not do that.")


# ---- a turn ----


@asking_the_silent_once()
def clean_up(rules: CleanUpRules, by: By, names: Sequence[str] = ()) -> list[Removal]:
    """Go on with what is under way, then with what the plan lets go; return all that was in hand.

    Once the limit of a day is reached, nothing new begins until a person has decided. What was put back once
    stays, unless it is named. What stands in quarantine and no removal knows goes back first, or is told.
    """
    if rules.disabled:
        raise CleanUpRefused(rules.disabled)
    if not names:
        strays.settle(rules, by)
    in_hand = list(under_way(names))
    for removal in in_hand:
        with _one_of_many():
            carry_out(removal, rules, by)
    back = in_hand if names else Removal.objects.filter(state=RemovalState.PUT_BACK).defer("manifest")
    stay = {(removal.delivery_id, removal.target) for removal in back}
    for one in plan(rules, names, but=stay):
        if _waits_for_a_person():
            break
        if one.may_go and not _is_closed_by_now(one, rules):
            with _one_of_many():
                removal = propose(one, rules, by)
                in_hand.append(removal)
                carry_out(removal, rules, by)
    for removal in in_hand:
        removal.refresh_from_db()
    return in_hand


def _is_closed_by_now(one: Candidate, rules: CleanUpRules) -> bool:
    """Whether the same turn, or a person, has closed a gate since the plan: then no row is made."""
    delivery = Delivery.objects.get(pk=one.delivery.pk)
    return any(
        gate.is_known and not gate.passed for gate in known_candidate(delivery, one.target, rules).gates
    )


@contextmanager
def _one_of_many() -> Iterator[None]:
    """Another worker, or a person, was quicker with this one: the others go on."""
    try:
        yield
    except CleanUpRefused as refusal:
        log.warning("%s", refusal)


def _waits_for_a_person() -> bool:
    return Removal.objects.filter(state=RemovalState.STOPPED, error__startswith=LIMIT).exists()
