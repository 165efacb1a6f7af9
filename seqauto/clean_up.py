"""The story of a clean-up: what is proven to exist elsewhere leaves the disk; a certificate stays for ever.

    plan → propose → approve → quarantine → grace period → look again → remove → certificate

Facts are gathered anew before each act; a gate that closes meanwhile puts the folder back, and one that
nobody can look at lets it wait where it is. The row says first what is going to be done, the tombstone on the
disk what was done: killed anywhere, the next turn goes on from the two.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Now

from sequencing.copying import CopyProblem, list_folder
from sequencing.disk import is_gone
from sequencing.removing import (
    RemoveProblem,
    Tombstone,
    forget,
    list_tombstones,
    put_back,
    quarantine,
    quarantined_at,
    remove,
)

from . import audit
from .clean_up_facts import Survey, place_of, survey
from .clean_up_rules import CleanUpRules
from .delivery_log import note
from .gates import SOURCE, Gate, all_open, gates
from .holds import holding, locked
from .lease import heartbeat
from .models import Delivery, Removal
from .models.clean_up import RemovalState, Target
from .models.deliveries import DeliveryState

log = logging.getLogger(__name__)

By = User | str  # a person, or the name of the rule or command that acts
MAY_CLEAN_UP, MAY_APPROVE = "seqauto.seqauto_clean_up", "seqauto.seqauto_clean_up_approve"
UNDER_WAY = (
    RemovalState.PROPOSED, RemovalState.APPROVED, RemovalState.QUARANTINED, RemovalState.REMOVING,
    RemovalState.STOPPED,
)  # fmt: skip
LIMIT = "The limit of a day is reached"


class CleanUpRefused(Exception):
    """A decision that cannot be carried out as things stand, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A folder that might go, what it would free, and every gate that lies before that."""

    delivery: Delivery
    target: str
    path: Path
    files: int
    bytes: int
    gates: tuple[Gate, ...]

    @property
    def may_go(self) -> bool:
        return all_open(self.gates)


# ---- the plan ----


def plan(rules: CleanUpRules, names: Sequence[str] = ()) -> list[Candidate]:
    """Every folder that a rule is about and that stands there, the longest delivered first. Changes nothing.

    Of delivered runs, or of those with these names (or paths), wherever they stand.
    """
    wanted = Q(name__in=names) | Q(path__in=names) if names else Q(state=DeliveryState.DELIVERED)
    deliveries = Delivery.objects.filter(wanted).exclude(identity=None).order_by("delivered_at", "pk")
    busy = set(Removal.objects.filter(state__in=UNDER_WAY).values_list("delivery", "target"))
    return [
        candidate(delivery, target, rules)
        for delivery in deliveries
        for target, rule in rules.rules.items()
        if rule.is_on and (delivery.pk, target) not in busy and _stands(delivery, target, rules)
    ]


def candidate(delivery: Delivery, target: str, rules: CleanUpRules) -> Candidate:
    path, seen = place_of(delivery, target, rules).path, survey(delivery, target, rules)
    judged = gates(seen.facts, rules.rules[target], seen.now)
    size = seen.bytes or (delivery.bytes or 0 if target == SOURCE else 0)
    return Candidate(delivery, target, path or Path(), seen.files, size, judged)


def _stands(delivery: Delivery, target: str, rules: CleanUpRules) -> bool:
    path = place_of(delivery, target, rules).path
    return path is not None and not is_gone(str(path))


def under_way(names: Sequence[str] = ()) -> QuerySet[Removal]:
    """Removals that have begun and not ended, the oldest first."""
    wanted = Q(delivery__name__in=names) | Q(delivery__path__in=names) if names else Q()
    found = Removal.objects.filter(wanted, state__in=UNDER_WAY).order_by("pk")
    return found.defer("manifest").select_related("delivery")


# ---- what people and rules decide ----


def propose(one: Candidate, rules: CleanUpRules, by: By) -> Removal:
    """Write down that a folder is to go. It waits for a second person where the lab asks for one."""
    _must_have(by, MAY_CLEAN_UP)
    if not one.may_go:
        closed = "; ".join(f"{gate.sentence}: {gate.evidence}" for gate in one.gates if not gate.passed)
        raise CleanUpRefused(f"{one.delivery.name} must stay. {closed}")
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
                evidence=_evidence(one.gates),
                proposed_by=_name(by),
            )
            _record("removal.propose", removal, by, {}, {"state": state, "bytes": one.bytes})
    except IntegrityError:
        raise CleanUpRefused(f"The removal of {one.path} is under way already.") from None
    return removal


def approve(removal: Removal, user: User, reason: str = "") -> None:
    """The second person's yes; never the first one's own."""
    _must_have(user, MAY_APPROVE)
    if removal.proposed_by == user.get_username():
        raise CleanUpRefused("Another person must approve it than the one who proposed it.")
    values = {"approved_at": Now(), "approved_by": user.get_username()}
    _turn(removal, (RemovalState.PROPOSED,), RemovalState.APPROVED, user, reason, **values)


def withdraw(removal: Removal, rules: CleanUpRules, user: User, reason: str) -> None:
    """Let the folder stay; one in quarantine gets its place back, as long as all of it is there."""
    _must_have(user, MAY_CLEAN_UP)
    if not _claim(removal, rules):
        raise CleanUpRefused("It is being carried out at this moment.")
    try:
        removal.refresh_from_db()
        stone = _tombstone(removal, rules)
        if stone and stone.state in ("half_removed", "removed"):
            raise CleanUpRefused("A part of it is removed already. Restore the run from its backup.")
        _end_in_place(removal, rules, stone, user, reason)
    except RemoveProblem as problem:
        raise CleanUpRefused(str(problem)) from problem
    finally:
        _let_go(removal)


def go_on(removal: Removal, by: By, reason: str = "") -> None:
    """A person's word that a stopped removal goes on; every gate and limit is asked again."""
    _must_have(by, MAY_CLEAN_UP)
    if removal.quarantined_at:
        state = RemovalState.QUARANTINED
    else:
        state = RemovalState.APPROVED if removal.approved_by else RemovalState.PROPOSED
    _turn(removal, (RemovalState.STOPPED,), state, by, reason, error="", remedy="")


def clean_up(rules: CleanUpRules, by: By, names: Sequence[str] = ()) -> list[Removal]:
    """Go on with what is under way, then with what the plan lets go; return all that was in hand.

    Once the limit of a day is reached, nothing new begins until a person has decided. What was put back once
    stays, unless it is named.
    """
    if rules.disabled:
        raise CleanUpRefused(rules.disabled)
    in_hand = list(under_way(names))
    for removal in in_hand:
        carry_out(removal, rules, by)
    back = in_hand if names else Removal.objects.filter(state=RemovalState.PUT_BACK).defer("manifest")
    stay = {(removal.delivery_id, removal.target) for removal in back}
    for one in plan(rules, names):
        if _waits_for_a_person():
            break
        if one.may_go and (one.delivery.pk, one.target) not in stay:
            removal = propose(one, rules, by)
            carry_out(removal, rules, by)
            in_hand.append(removal)
    for removal in in_hand:
        removal.refresh_from_db()
    return in_hand


def _waits_for_a_person() -> bool:
    return Removal.objects.filter(state=RemovalState.STOPPED, error__startswith=LIMIT).exists()


# ---- carrying out ----


class _Closed(Exception):
    """A gate is closed by now. `is_known` is false where nobody could look, which may pass."""

    def __init__(self, closed: Sequence[Gate]) -> None:
        super().__init__("; ".join(f"{gate.sentence}: no. {gate.evidence}" for gate in closed))
        self.is_known = any(gate.is_known for gate in closed)


def carry_out(removal: Removal, rules: CleanUpRules, by: By) -> bool:
    """Do the next of what is to be done with it, if nobody else does; False where somebody does.

    Ends at the grace period, at the certificate, or where something is not as it should be: told on its row.
    """
    if rules.disabled:
        raise CleanUpRefused(rules.disabled)
    if not _claim(removal, rules):
        return False
    try:
        removal.refresh_from_db()
        with heartbeat(lambda: _renew(removal, rules), rules.heartbeat_seconds):
            _carry_out(removal, rules, by)
    except _Closed as closed:
        _step_back(removal, rules, closed, by)
    except RemoveProblem as problem:
        _stop(removal, by, problem.sentence, problem.remedy, passes=problem.code in ("busy", "stopped"))
    except (CopyProblem, OSError) as failure:
        _stop(removal, by, f"A disk failed: {failure}", "See whether it is mounted, then let it go on.")
    finally:
        _let_go(removal)
        removal.refresh_from_db()
    return True


def _carry_out(removal: Removal, rules: CleanUpRules, by: By) -> None:
    if removal.state == RemovalState.PROPOSED and not rules.needs_approval:  # nor is it asked for any more
        _turn(removal, (RemovalState.PROPOSED,), RemovalState.APPROVED, by, "")
    if removal.state == RemovalState.APPROVED:
        if rules.needs_approval and not removal.approved_by:
            _tell(removal, "It waits for approval by a second person.")
            return
        _into_quarantine(removal, rules, by)
    elif removal.state in (RemovalState.QUARANTINED, RemovalState.REMOVING):
        stone = _tombstone(removal, rules)
        if not removal.tombstone and (stone is None or stone.state == "in_place"):
            # Killed before the rename: nothing has happened to the folder.
            if stone:
                forget(stone, _root(removal, rules))
            _into_quarantine(removal, rules, by)
        elif stone is None or stone.state == "missing":
            _stop(removal, by, "It is not in quarantine any more.", "See whether it was moved by hand.")
            return
        elif stone.state == "in_place":
            _end_in_place(removal, rules, stone, by, "It stands in its old place.")
            return
        elif not removal.tombstone:  # killed after the rename, before anybody was told
            _note_quarantined(removal, stone, by)
    if removal.state in (RemovalState.QUARANTINED, RemovalState.REMOVING) and _grace_is_over(removal, rules):
        _out_of_quarantine(removal, rules, by)


def _into_quarantine(removal: Removal, rules: CleanUpRules, by: By) -> None:
    """Look at everything again, write down what is going to happen, then move the folder by one rename."""
    seen, judged = _looked_again(removal, rules)
    if removal.state == RemovalState.APPROVED and not _begin(removal, rules, by, seen, judged):
        return
    stone = quarantine(
        Path(removal.path),
        _root(removal, rules),
        looks_like=lambda folder: list_folder(folder).digest == seen.digest,
        when=seen.now,
        why={"removal": removal.pk, "run": removal.delivery.name, "target": removal.target, "by": _name(by)},
    )
    _note_quarantined(removal, stone, by)


def _begin(removal: Removal, rules: CleanUpRules, by: By, seen: Survey, judged: Sequence[Gate]) -> bool:
    """Write down that it goes into quarantine, unless it is held by now or the day's limit is reached."""
    with transaction.atomic():
        # One begins at a time, so that no two together pass the limit.
        list(Removal.objects.select_for_update().filter(state=RemovalState.APPROVED).values("pk"))
        locked(removal.delivery)
        _refuse_held(removal, seen)
        if over := _over_the_limit(removal, rules, seen.bytes):
            error = {
                "error": f"{LIMIT}: {over}",
                "remedy": "See that all is as it should be, then let it go on.",
            }
            _turn(removal, (RemovalState.APPROVED,), RemovalState.STOPPED, by, "", **error)
            return False
        values = {
            "files": seen.files,
            "bytes": seen.bytes,
            "manifest": seen.manifest,
            "evidence": _evidence(judged),
            "rule": rules.rules[removal.target].as_json(),
            "quarantined_at": Now(),
            "error": "",
            "remedy": "",
        }
        _turn(removal, (RemovalState.APPROVED,), RemovalState.QUARANTINED, by, "", **values)
    return True


def _note_quarantined(removal: Removal, stone: Tombstone, by: By) -> None:
    with transaction.atomic():
        Removal.objects.filter(pk=removal.pk).update(tombstone=stone.id, quarantined_at=Now())
        what = removal.get_target_display()
        note(removal.delivery, f"{what}: in quarantine, {removal.bytes:,} bytes. Nothing is removed yet")
        _record("removal.quarantined", removal, by, {}, {"tombstone": stone.id})
    removal.refresh_from_db()


def _grace_is_over(removal: Removal, rules: CleanUpRules) -> bool:
    until = Now() - timedelta(hours=rules.grace_hours)
    return Removal.objects.filter(pk=removal.pk, quarantined_at__lte=until).exclude(tombstone="").exists()


def _out_of_quarantine(removal: Removal, rules: CleanUpRules, by: By) -> None:
    """Look at everything once more, then remove it for ever; what is half removed already only goes on."""
    stone, digest = _tombstone(removal, rules), ""
    if stone is None:
        raise RemoveProblem("gone", "It is not in quarantine any more.", "See whether it was moved by hand.")
    if stone.state == "quarantined":
        seen, judged = _looked_again(removal, rules, quarantined_at(stone, _root(removal, rules)))
        digest = seen.digest
        with transaction.atomic():
            locked(removal.delivery)
            _refuse_held(removal, seen)
            states = (RemovalState.QUARANTINED, RemovalState.REMOVING)
            _turn(removal, states, RemovalState.REMOVING, by, "", evidence=_evidence(judged), error="")
    elif _is_held(removal):
        _tell(removal, "Held: what is left of it stays in quarantine.")
        return
    remove(
        stone,
        _root(removal, rules),
        looks_like=lambda folder: bool(digest) and list_folder(folder).digest == digest,
        stop=lambda: _is_held(removal),
    )
    _certify(removal, by)
    forget(stone, _root(removal, rules))


def _certify(removal: Removal, by: By) -> None:
    """From here on the row is the certificate."""
    with transaction.atomic():
        states = (RemovalState.QUARANTINED, RemovalState.REMOVING)
        _turn(removal, states, RemovalState.REMOVED, by, "", ended_at=Now(), error="", remedy="")
        if removal.target == Target.SOURCE:
            Delivery.objects.filter(pk=removal.delivery_id, gone_at=None).update(gone_at=Now())
        what = removal.get_target_display()
        note(removal.delivery, f"{what}: cleaned up, {removal.files:,} files, {removal.bytes:,} bytes")


# ---- where it does not go on ----


def _looked_again(removal: Removal, rules: CleanUpRules, at: Path | None = None) -> tuple[Survey, list[Gate]]:
    """The facts as they are now. Raises _Closed unless every gate is open and it is the same folder."""
    seen = survey(removal.delivery, removal.target, rules, at, is_thorough=True)
    judged = list(gates(seen.facts, rules.rules[removal.target], seen.now))
    if str(place_of(_fresh(removal), removal.target, rules).path) != removal.path:
        moved = "It stands elsewhere than when it was proposed."
        judged.append(Gate("place", "It is the folder that was proposed", False, True, moved))
    if not all_open(judged):
        raise _Closed([gate for gate in judged if not gate.passed])
    return seen, judged


def _step_back(removal: Removal, rules: CleanUpRules, closed: _Closed, by: By) -> None:
    """A gate is closed: back to its place. Where nobody could look, it waits where it is."""
    if not closed.is_known:
        _tell(removal, f"Not now. {closed}")
        return
    try:
        stone = _tombstone(removal, rules)
        if stone and stone.state == "quarantined":
            _end_in_place(removal, rules, stone, by, str(closed))
            return
    except RemoveProblem as problem:
        _stop(removal, by, f"{closed} {problem.sentence}", problem.remedy)
        return
    _stop(removal, by, str(closed), "Mend that and let it go on, or withdraw it.")


def _end_in_place(removal: Removal, rules: CleanUpRules, stone: Tombstone | None, by: By, why: str) -> None:
    root = _root(removal, rules)
    if stone and stone.state == "quarantined":
        put_back(stone, root)
    values = {"ended_at": Now(), "error": why, "remedy": ""}
    with transaction.atomic():
        _turn(removal, UNDER_WAY, RemovalState.PUT_BACK, by, why, **values)
        note(removal.delivery, f"{removal.get_target_display()}: stays. {why}")
    if stone:
        with suppress(RemoveProblem):  # the row has told it already
            forget(stone, root)


def _stop(removal: Removal, by: By, error: str, remedy: str, *, passes: bool = False) -> None:
    """Let it wait for a person, or for the next turn where the trouble `passes` by itself."""
    log.warning("%s: %s", removal, error)
    if passes:
        _tell(removal, error)
        return
    with transaction.atomic():
        _turn(removal, UNDER_WAY, RemovalState.STOPPED, by, error, error=error, remedy=remedy)


def _tell(removal: Removal, error: str) -> None:
    Removal.objects.filter(pk=removal.pk).update(error=error)


# ---- holds and limits ----


def _refuse_held(removal: Removal, seen: Survey) -> None:
    """Asked in the transaction that goes on, under the lock that placing a hold takes too."""
    hold = holding(removal.delivery, seen.now).first()
    if hold:
        raise _Closed([Gate("unheld", "Nobody holds it", False, True, f"{hold.user_name}: {hold.reason}")])


def _is_held(removal: Removal) -> bool:
    delivery = Delivery.objects.annotate(now=Now()).get(pk=removal.delivery_id)
    return delivery.is_held or holding(delivery, delivery.now).exists()


def _over_the_limit(removal: Removal, rules: CleanUpRules, size: int) -> str:
    """What of the day's limit this one would pass; the day is the last 24 hours of the database."""
    today = Removal.objects.filter(quarantined_at__gt=Now() - timedelta(days=1)).exclude(pk=removal.pk)
    runs = len({*today.values_list("delivery", flat=True), removal.delivery_id})
    total = (today.aggregate(total=Sum("bytes"))["total"] or 0) + size
    if runs > rules.most_runs:
        return f"it would be run {runs} in 24 hours, {rules.most_runs} may go."
    if total > rules.most_bytes:
        return f"{total / 1e9:,.1f} GB in 24 hours, {rules.most_bytes / 1e9:,.0f} GB may go."
    return ""


# ---- rows ----


def _tombstone(removal: Removal, rules: CleanUpRules) -> Tombstone | None:
    """What the disk knows of it."""
    stones = list_tombstones(_root(removal, rules))
    mine = [stone for stone in stones if stone.why.get("removal") == removal.pk]
    return next((stone for stone in reversed(mine) if removal.tombstone in ("", stone.id)), None)


def _root(removal: Removal, rules: CleanUpRules) -> Path:
    """The disk that the folder lies on, which the settings or its delivery name."""
    known = [rules.delivery.backup_dir, rules.delivery.fastq_dir, Path(_fresh(removal).root)]
    path = Path(removal.path)
    root = next((root for root in known if root and root in path.parents), None)
    if root is None:
        raise RemoveProblem("outside", f"{path} lies in no folder that the settings name.", "Look at them.")
    return root


def _fresh(removal: Removal) -> Delivery:
    return Delivery.objects.get(pk=removal.delivery_id)


def _turn(
    removal: Removal, states: Iterable[str], state: RemovalState, by: By, reason: str, **values: Any
) -> None:
    """From one state to the next, by one conditional update, with its entry in the audit."""
    before = removal.state
    with transaction.atomic():
        mine = Removal.objects.filter(pk=removal.pk, state__in=states)
        if not mine.update(state=state, **values):
            raise CleanUpRefused(f"{removal} has gone on meanwhile.")
        told = {"state": state, "bytes": removal.bytes} | {
            name: value for name, value in values.items() if name in ("error", "approved_by") and value
        }
        _record(f"removal.{state}", removal, by, {"state": before}, told, reason)
    removal.refresh_from_db()


def _record(
    action: str,
    removal: Removal,
    by: By,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str = "",
) -> None:
    user, rule = (None, by) if isinstance(by, str) else (by, "")
    about = {"path": removal.path, **after}
    audit.record(action, removal, user=user, rule=rule, before=before, after=about, reason=reason)


def _evidence(judged: Sequence[Gate]) -> list[dict[str, Any]]:
    return [asdict(gate) for gate in judged]


def _name(by: By) -> str:
    return by if isinstance(by, str) else by.get_username()


def _must_have(by: By, permission: str) -> None:
    if not isinstance(by, str) and not by.has_perm(permission):
        raise CleanUpRefused(f"{by.get_username()} may not do that.")


# ---- one at a time ----


def _claim(removal: Removal, rules: CleanUpRules) -> bool:
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    return bool(Removal.objects.filter(free, pk=removal.pk).update(busy_until=_expiry(rules)))


def _renew(removal: Removal, rules: CleanUpRules) -> None:
    Removal.objects.filter(pk=removal.pk).update(busy_until=_expiry(rules))


def _let_go(removal: Removal) -> None:
    Removal.objects.filter(pk=removal.pk).update(busy_until=None)


def _expiry(rules: CleanUpRules) -> Any:
    """When another process may go on with it, if this one has died until then."""
    return Now() + timedelta(seconds=rules.lease_seconds)
