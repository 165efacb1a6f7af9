"""What happens to deliveries, told twice: as an event on its page, and as a line of the delivery log."""

from __future__ import annotations

import logging

from django.contrib.auth.models import User

from .models import Delivery, DeliveryEvent

log = logging.getLogger("seqauto.deliveries")


def note(
    delivery: Delivery, text: str, *, step: str = "", user: User | None = None, reason: str = ""
) -> None:
    """Record an event; inside a transaction, together with what it tells of."""
    DeliveryEvent.objects.create(
        delivery=delivery,
        user=user,
        user_name=user.get_username() if user else "",
        step=step,
        text=text,
        reason=reason.strip(),
    )
    why = f": {reason.strip()}" if reason.strip() else ""
    by = f" (by {user.get_username()}{why})" if user else ""
    log.info("%s: %s%s", delivery.name, text, by)


def note_once(delivery: Delivery, text: str) -> None:
    """As `note`, unless it is what was said last."""
    latest = delivery.events.order_by("-pk").values_list("text", flat=True).first()
    if latest != text:
        note(delivery, text)
