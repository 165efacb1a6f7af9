"""The way of one folder out: quarantine → grace period → look again → remove → certificate.

Facts are gathered anew before each act; a gate that closes meanwhile puts the folder back, and one that
nobody can look at lets it wait where it is. The row says first what is going to be done, the tombstone on the
disk what was done: killed anywhere, the next turn goes on from the two.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from sequencing.copying import CopyProblem, list_folder
from sequencing.disk import empty_folder_above
from sequencing.removing import (
    QUARANTINE,
    RemoveProblem,
    Tombstone,
    forget,
    put_back,
    quarantine,
    quarantined_at,
    remove,
)

from .clean_up_facts import place_of, unheld
from .clean_up_rules import CleanUpRules
from .clean_up_survey import Survey, survey
from .delivery_log import note
from .gates import Gate, all_open, closed_gates, gates
from .holds import holding, locked
from .lease import heartbeat
from .models import Delivery, Removal
from .models.clean_up import IN_QUARANTINE, UNDER_WAY, RemovalState, Target
from .removal_manifest import proven_by
from .removal_rows import (
    By,
    CleanUpRefused,
    claim,
    evidence_of,
    fresh_delivery,
    let_go,
    name_of,
    record,
    renew,
    root_of,
    tell,
    tombstone_of,
    turn,
    waits_for_approval,
)

log = logging.getLogger(__name__)

LIMIT = "The limit of a day is reached"
_WAITS = "It waits for approval by a second person."
_BEYOND = (
    "It waits for a person, also after 24 hours. See that all is as it should be; then “Let it go on” on the "
    "page Safe to delete, with a reason, takes this one beyond the limit. Or withdraw it."
)


class _Closed(Exception):
    """A gate is closed by now. `is_known` is false where nobody could look, which may pass."""

    def __init__(self, closed: Sequence[Gate]) -> None:
        super().__init__("\n".join(gate.why_closed for gate in closed))
        self.is_known = any(gate.is_known for gate in closed)
        self.is_held = any(gate.name == "unheld" for gate in closed)


def carry_out(removal: Removal, rules: CleanUpRules, by: By) -> bool:
    """Do the next of what is to be done with it, if nobody else does; False where somebody does.

    Ends at the grace period, at the certificate, or where something is not as it should be: told on its row.
    Raises CleanUpRefused where another process has turned it meanwhile.
    """
    if rules.disabled:
        raise CleanUpRefused(rules.disabled)
    if not claim(removal, rules):
        return False
    try:
        removal.refresh_from_db()
        with heartbeat(lambda: renew(removal, rules), rules.heartbeat_seconds):
            _carry_out(removal, rules, by)
    except _Closed as closed:
        _step_back(removal, rules, closed, by)
    except RemoveProblem as problem:
        _stop(removal, by, problem.sentence, problem.remedy, passes=problem.code in ("busy", "stopped"))
    except (CopyProblem, OSError) as failure:
        _stop(removal, by, f"A disk failed: {failure}", "See whether it is mounted, then let it go on.")
    except (DatabaseError, CleanUpRefused):
        raise
    except Exception as unexpected:
        log.exception("%s", removal)
        _stop(removal, by, f"Unexpected: {unexpected!r}.", "The log has the traceback; then let it go on.")
    finally:
        let_go(removal)
        removal.refresh_from_db()
    return True


def _carry_out(removal: Removal, rules: CleanUpRules, by: By) -> None:
    if removal.state == RemovalState.PROPOSED and not rules.needs_approval:  # nor is it asked for any more
        turn(
            removal, (RemovalState.PROPOSED,), RemovalState.APPROVED, by, "No approval is asked for any more."
        )
    if removal.state == RemovalState.APPROVED:
        if waits_for_approval(removal, rules):
            tell(removal, _WAITS)
            return
        _into_quarantine(removal, rules, by)
    elif removal.state in IN_QUARANTINE:
        if not _is_found_in_quarantine(removal, rules, by):
            return
        stone = tombstone_of(removal, rules)
        if stone and stone.state == "quarantined":
            _refuse_held(removal)
    if removal.state in IN_QUARANTINE and _grace_is_over(removal, rules):
        _out_of_quarantine(removal, rules, by)


def _is_found_in_quarantine(removal: Removal, rules: CleanUpRules, by: By) -> bool:
    """Whether it stands there, as its row says; if not, mend what can be mended."""
    stone = tombstone_of(removal, rules)
    if not removal.tombstone and (stone is None or stone.state == "in_place"):
        # Killed before the rename: nothing has happened to the folder.
        if stone:
            forget(stone, root_of(removal, rules))
        _into_quarantine(removal, rules, by)
        return True
    root = root_of(removal, rules)
    if stone is None and empty_folder_above(str(root / QUARANTINE), str(root)):
        tell(removal, f"Not now. Nothing lies in {root}. Is its disk mounted?")
        return False
    if stone is None or stone.state == "missing":
        _stop(removal, by, "It is not in quarantine any more.", "See whether it was moved by hand.")
        return False
    if stone.state == "in_place":
        end_in_place(removal, rules, stone, by, "It stands in its old place.")
        return False
    if not removal.tombstone:  # killed after the rename, before anybody was told
        _note_quarantined(removal, stone, by)
    return True


# ---- into quarantine ----


def _into_quarantine(removal: Removal, rules: CleanUpRules, by: By) -> None:
    """Look at everything again, write down what is going to happen, then move the folder by one rename."""
    seen, judged = _looked_again(removal, rules)
    if not _begin(removal, rules, by, seen, judged):
        return
    stone = quarantine(
        Path(removal.path),
        root_of(removal, rules),
        looks_like=lambda folder: list_folder(folder).digest == seen.digest,
        when=seen.now,
        why={
            "removal": removal.pk,
            "run": removal.delivery.name,
            "target": removal.target,
            "by": name_of(by),
            "token": removal.rule["token"],
        },
    )
    _note_quarantined(removal, stone, by)


def _begin(removal: Removal, rules: CleanUpRules, by: By, seen: Survey, judged: Sequence[Gate]) -> bool:
    """Write down that it goes into quarantine, unless it is held by now or the day's limit is reached.

    Asked anew of one that was killed before its rename, or stopped there and a person let it go on.
    """
    states = (RemovalState.APPROVED, RemovalState.QUARANTINED)
    with transaction.atomic():
        # One begins at a time, so that no two together pass the limit.
        list(Removal.objects.select_for_update().filter(state__in=states).values("pk"))
        locked(removal.delivery)
        _refuse_held(removal)
        allowed = {"beyond_limit": removal.rule["beyond_limit"]} if "beyond_limit" in removal.rule else {}
        if not allowed and (over := _over_the_limit(removal, rules, seen.bytes)):
            why = f"{LIMIT}: {over} Until a person has decided, nothing new goes."
            turn(removal, states, RemovalState.STOPPED, by, why, error=why, remedy=_BEYOND)
            return False
        token = removal.rule.get("token") or token_hex(16)
        values: dict[str, Any] = {
            "files": seen.files,
            "bytes": seen.bytes,
            "manifest": seen.manifest,
            "evidence": evidence_of(judged),
            "rule": rules.rules[removal.target].as_json() | {"token": token} | allowed,
            "quarantined_at": Now(),
            "error": "",
            "remedy": "",
        }
        turn(removal, states, RemovalState.QUARANTINED, by, "", action="removal.quarantine_begun", **values)
    return True


def _over_the_limit(removal: Removal, rules: CleanUpRules, size: int) -> str:
    """What of the day's limit this one would pass; the day is the last 24 hours of the database."""
    today = Removal.objects.filter(quarantined_at__gt=Now() - timedelta(days=1)).exclude(pk=removal.pk)
    runs = len({*today.values_list("delivery", flat=True), removal.delivery_id})
    total = (today.aggregate(total=Sum("bytes"))["total"] or 0) + size
    may_go = f"{rules.most_bytes / 1e9:,.0f} GB may go."
    if size > rules.most_bytes:
        return f"{size / 1e9:,.1f} GB are more than a whole day's limit, {may_go}"
    if runs > rules.most_runs:
        return f"it would be run {runs} in 24 hours, {rules.most_runs} may go."
    if total > rules.most_bytes:
        return f"{total / 1e9:,.1f} GB in 24 hours, {may_go}"
    return ""


def _note_quarantined(removal: Removal, stone: Tombstone, by: By) -> None:
    with transaction.atomic():
        Removal.objects.filter(pk=removal.pk).update(tombstone=stone.id, quarantined_at=Now())
        what = removal.get_target_display()
        note(removal.delivery, f"{what}: in quarantine, {removal.bytes:,} bytes. Nothing is removed yet")
        record("removal.quarantined", removal, by, {}, {"tombstone": stone.id})
    removal.refresh_from_db()


def _grace_is_over(removal: Removal, rules: CleanUpRules) -> bool:
    until = Now() - timedelta(hours=rules.grace_hours)
    return Removal.objects.filter(pk=removal.pk, quarantined_at__lte=until).exclude(tombstone="").exists()


# ---- out of quarantine, for ever ----


def _out_of_quarantine(removal: Removal, rules: CleanUpRules, by: By) -> None:
    """Look at everything once more, then remove it for ever; of one half removed, at all but what is gone."""
    stone, digest = tombstone_of(removal, rules), ""
    if stone is None:
        raise RemoveProblem("gone", "It is not in quarantine any more.", "See whether it was moved by hand.")
    if stone.state != "removed":
        if waits_for_approval(removal, rules):
            tell(removal, _WAITS)
            return
        if stone.state == "half_removed" and is_held(removal):
            tell(removal, "Held: what is left of it stays in quarantine.")
            return
        digest = _begin_to_remove(removal, rules, stone, by)
    remove(
        stone,
        root_of(removal, rules),
        looks_like=lambda folder: bool(digest) and list_folder(folder).digest == digest,
        is_proven=proven_by(removal.manifest),
        stop=lambda: is_held(removal),
    )
    _certify(removal, by)
    forget(stone, root_of(removal, rules))


def _begin_to_remove(removal: Removal, rules: CleanUpRules, stone: Tombstone, by: By) -> str:
    """Look at everything, write down that it is being removed, and return the digest of what was seen.

    The certificate keeps the last look at the whole folder; later ones, at what is left, stand in the audit.
    """
    at = quarantined_at(stone, root_of(removal, rules))
    rest_of = removal.manifest if stone.state == "half_removed" else None
    seen, judged = _looked_again(removal, rules, at, rest_of)
    with transaction.atomic():
        locked(removal.delivery)
        _refuse_held(removal)
        if rest_of is not None:
            record("removal.resumed", removal, by, {}, {"evidence": evidence_of(judged)})
            return ""
        values: dict[str, Any] = {
            "files": seen.files,
            "bytes": seen.bytes,
            "manifest": seen.manifest,
            "evidence": evidence_of(judged),
            "error": "",
        }
        turn(removal, IN_QUARANTINE, RemovalState.REMOVING, by, "", action="removal.removal_begun", **values)
    return seen.digest


def _certify(removal: Removal, by: By) -> None:
    """From here on the row is the certificate."""
    with transaction.atomic():
        turn(removal, IN_QUARANTINE, RemovalState.REMOVED, by, "", ended_at=Now(), error="", remedy="")
        if removal.target == Target.SOURCE:
            Delivery.objects.filter(pk=removal.delivery_id, gone_at=None).update(gone_at=Now())
        what = removal.get_target_display()
        note(removal.delivery, f"{what}: cleaned up, {removal.files:,} files, {removal.bytes:,} bytes")


# ---- looking again, and where it does not go on ----


def _looked_again(
    removal: Removal, rules: CleanUpRules, at: Path | None = None, rest_of: str | None = None
) -> tuple[Survey, list[Gate]]:
    """The facts as they are now. Raises _Closed unless every gate is open and it is the same folder."""
    seen = survey(removal.delivery, removal.target, rules, at, is_thorough=True, rest_of=rest_of)
    judged = list(gates(seen.facts, rules.rules[removal.target], seen.now))
    if str(place_of(fresh_delivery(removal), removal.target, rules).path) != removal.path:
        moved = "It stands elsewhere than when it was proposed."
        judged.append(Gate("place", "It is the folder that was proposed", False, True, moved))
    if not all_open(judged):
        raise _Closed(closed_gates(judged))
    return seen, judged


def _refuse_held(removal: Removal) -> None:
    """Asked in the transaction that goes on, under the lock that placing a hold takes too."""
    if why := why_held(removal):
        raise _Closed([Gate("unheld", "Nobody holds it", False, True, why)])


def is_held(removal: Removal) -> bool:
    return bool(why_held(removal))


def why_held(removal: Removal) -> str:
    """Who holds its run at this moment, until when and why; "" where nobody does."""
    delivery = Delivery.objects.annotate(now=Now()).get(pk=removal.delivery_id)
    seen = unheld(delivery, holding(delivery, delivery.now).first())
    return "" if seen.is_so else seen.text


def _step_back(removal: Removal, rules: CleanUpRules, closed: _Closed, by: By) -> None:
    """A gate is closed: back to its place. Where nobody could look, it waits where it is."""
    if not closed.is_known:
        tell(removal, f"Not now. {closed}")
        return
    first = "Release the hold" if closed.is_held else "Mend that"
    remedy = f"{first} and let it go on, or withdraw it."
    try:
        stone = tombstone_of(removal, rules)
        if stone and stone.state == "quarantined":
            end_in_place(removal, rules, stone, by, str(closed))
            return
        if stone and stone.state == "half_removed":
            where = quarantined_at(stone, root_of(removal, rules))
            remedy = f"What is left of it is kept in {where}: copy it from there before anything else."
    except RemoveProblem as problem:
        _stop(removal, by, f"{closed} {problem.sentence}", problem.remedy)
        return
    _stop(removal, by, str(closed), remedy)


def end_in_place(removal: Removal, rules: CleanUpRules, stone: Tombstone | None, by: By, why: str) -> None:
    """It stays: out of quarantine, as long as it is whole, and the row says why."""
    root = root_of(removal, rules)
    if stone and stone.state == "quarantined":
        put_back(stone, root)
    values: dict[str, Any] = {"ended_at": Now(), "error": why, "remedy": ""}
    with transaction.atomic():
        turn(removal, UNDER_WAY, RemovalState.PUT_BACK, by, why, **values)
        note(removal.delivery, f"{removal.get_target_display()}: stays. {why}")
    if stone:
        with suppress(RemoveProblem):  # the row has told it already
            forget(stone, root)


def _stop(removal: Removal, by: By, error: str, remedy: str, *, passes: bool = False) -> None:
    """Let it wait for a person, or for the next turn where the trouble `passes` by itself."""
    log.warning("%s: %s", removal, error)
    if passes:
        tell(removal, error)
        return
    turn(removal, UNDER_WAY, RemovalState.STOPPED, by, error, error=error, remedy=remedy)
