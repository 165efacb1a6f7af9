"""Holds: a person's word that nothing of a run may be removed. It beats every rule, role and option."""

from __future__ import annotations

from datetime import date, datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from . import audit, dates
from .delivery_log import note
from .models import Delivery, Hold
from .roles import CAN_HOLD


class HoldRefused(Exception):
    """A hold that cannot be placed or released as things stand, in a sentence for people."""


def holds_at(now: datetime) -> QuerySet[Hold]:
    """The holds that count now, of all deliveries; `until` is a hold's last day, in the lab's time zone."""
    return Hold.objects.filter(Q(until=None) | Q(until__gte=timezone.localdate(now)), released_at=None)


def holding(delivery: Delivery, now: datetime) -> QuerySet[Hold]:
    return holds_at(now).filter(delivery=delivery)


def told_of(hold: Hold) -> str:
    """`Held by anna until 30 Nov 2026: a trial`."""
    return f"{_said(f'Held by {hold.user_name}', hold.until)}: {hold.reason}"


def place(delivery: Delivery, user: User, reason: str, until: date | None = None) -> Hold:
    """Hold a run from now on. What stands in quarantine goes back at the next turn of the clean-up."""
    _must_be_allowed(user)
    if not reason.strip():
        raise HoldRefused("Say why: a reason is needed, and kept.")
    with transaction.atomic():
        locked(delivery)
        hold = Hold.objects.create(
            delivery=delivery, user=user, user_name=user.get_username(), reason=reason.strip(), until=until
        )
        note(delivery, _said("Held against clean-up", until), user=user, reason=reason)
        after = {"hold": hold.pk, "until": until.isoformat() if until else None}
        audit.record("hold.placed", delivery, user=user, after=after, reason=reason)
    return hold


def release(hold: Hold, user: User, reason: str = "") -> None:
    """End a hold. Raises HoldRefused where it has ended already."""
    _must_be_allowed(user)
    with transaction.atomic():
        locked(hold.delivery)
        values = {"released_at": Now(), "released_by": user.get_username()}
        if not Hold.objects.filter(pk=hold.pk, released_at=None).update(**values):
            raise HoldRefused("It is released already.")
        note(hold.delivery, f"Released the hold of {hold.user_name}", user=user, reason=reason)
        before = {"hold": hold.pk, "reason": hold.reason}
        audit.record("hold.released", hold.delivery, user=user, before=before, reason=reason)


def locked(delivery: Delivery) -> Delivery:
    """The row, for this transaction alone: a hold and a removal never pass one another unseen."""
    return Delivery.objects.select_for_update().get(pk=delivery.pk)


def _must_be_allowed(user: User) -> None:
    if not user.has_perm(CAN_HOLD):
        raise HoldRefused(f"{user.get_username()} may not hold or release runs.")


def _said(text: str, until: date | None) -> str:
    return f"{text} until {dates.day(until)}" if until else text
