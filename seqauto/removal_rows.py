"""The row of a removal: who may turn it when, who has it in hand, and which tombstone is its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from sequencing.removing import RemoveProblem, Tombstone, list_tombstones

from . import audit, dates
from .clean_up_rules import CleanUpRules
from .gates import Gate
from .models import Delivery, Removal
from .models.clean_up import UNDER_WAY, RemovalState

By = User | str  # a person, or the name of the rule or command that acts


class CleanUpRefused(Exception):
    """A decision that cannot be carried out as things stand, in a sentence for people."""


def waits_for_approval(removal: Removal, rules: CleanUpRules) -> bool:
    """Whether a second person must say yes first; also of what went into quarantine before that was asked."""
    is_going_on = removal.state in UNDER_WAY and removal.state != RemovalState.STOPPED
    return rules.needs_approval and not removal.approved_by and is_going_on


def why_it_stays(removal: Removal) -> str:
    """Of what was put back: when and why, and that only a person's word takes it again."""
    at = f" on {dates.moment(removal.ended_at)}" if removal.ended_at else ""
    why = f": {removal.error}" if removal.error else ""
    end = "" if why.endswith(".") else "."
    what = "put back" if removal.tombstone else "withdrawn"
    return f"It was {what}{at}{why}{end} It goes only when a person proposes or names it."


# ---- turns, each with its entry in the audit ----


def turn(
    removal: Removal,
    states: Iterable[str],
    state: RemovalState,
    by: By,
    reason: str,
    *,
    action: str = "",
    also: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """From one state to the next, by one conditional update, with its entry in the audit (and `also`)."""
    before = removal.state
    with transaction.atomic():
        mine = Removal.objects.filter(pk=removal.pk, state__in=states)
        if not mine.update(state=state, **values):
            raise CleanUpRefused(f"{removal} has gone on meanwhile.")
        told = {"state": state, "bytes": removal.bytes} | {
            name: value for name, value in values.items() if name in ("error", "approved_by") and value
        }
        record(action or f"removal.{state}", removal, by, {"state": before}, told | dict(also or {}), reason)
    removal.refresh_from_db()


def tell(removal: Removal, error: str) -> None:
    """Say on the row what it waits for, where time or another process mends it."""
    Removal.objects.filter(pk=removal.pk).update(error=error)


def record(
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


def evidence_of(judged: Sequence[Gate]) -> list[dict[str, Any]]:
    return [asdict(gate) for gate in judged]


def name_of(by: By) -> str:
    return by if isinstance(by, str) else by.get_username()


# ---- what the disk knows of it ----


def tombstone_of(removal: Removal, rules: CleanUpRules) -> Tombstone | None:
    """Known by its token: after a restored database another removal may have the same number."""
    token = removal.rule.get("token")
    stones = list_tombstones(root_of(removal, rules)) if token else ()
    mine = [stone for stone in stones if stone.why.get("token") == token]
    return next((stone for stone in reversed(mine) if removal.tombstone in ("", stone.id)), None)


def root_of(removal: Removal, rules: CleanUpRules) -> Path:
    """The disk that the folder lies on, which the settings or its delivery name."""
    known = [rules.delivery.backup_dir, rules.delivery.fastq_dir, Path(fresh_delivery(removal).root)]
    path = Path(removal.path)
    root = next((root for root in known if root and root in path.parents), None)
    if root is None:
        raise RemoveProblem("outside", f"{path} lies in no folder that the settings name.", "Look at them.")
    return root


def fresh_delivery(removal: Removal) -> Delivery:
    return Delivery.objects.get(pk=removal.delivery_id)


# ---- one at a time ----


def claim(removal: Removal, rules: CleanUpRules) -> bool:
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    return bool(Removal.objects.filter(free, pk=removal.pk).update(busy_until=_expiry(rules)))


def renew(removal: Removal, rules: CleanUpRules) -> None:
    Removal.objects.filter(pk=removal.pk).update(busy_until=_expiry(rules))


def let_go(removal: Removal) -> None:
    Removal.objects.filter(pk=removal.pk).update(busy_until=None)


def _expiry(rules: CleanUpRules) -> Any:
    """When another process may go on with it, if this one has died until then."""
    return Now() + timedelta(seconds=rules.lease_seconds)
