"""Where a delivery stands, by its steps: one word, why, and what a person should do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from .models import Delivery, DeliveryStep
from .models.deliveries import DeliveryState, StepState

DIFFERS = "differs"  # the code of a step whose copy was proven once, and is no longer equal


def refresh_state(delivery: Delivery) -> None:
    """Let a delivery that has settled say where it stands, in the transaction that changed its steps.

    Until then the watcher says so.
    """
    steps = list(delivery.steps.order_by("place"))
    if not delivery.has_settled():
        return
    delivery.refresh_from_db(fields=["is_held", "delivered_at", "gone_at"])
    failed = next((step for step in steps if step.state == StepState.FAILED), None)
    is_damaged = failed is not None and failed.code == DIFFERS
    if delivery.gone_at and not is_damaged and any(step.state != StepState.DONE for step in steps):
        return  # nothing goes on until the folder is back, and the watcher says so
    delivery.reason, delivery.remedy = (failed.error, failed.remedy) if failed else ("", "")
    if all(step.state == StepState.DONE for step in steps):
        delivery.state = DeliveryState.DELIVERED
        delivery.delivered_at = delivery.delivered_at or timezone.now()
    else:
        delivery.state = _unfinished(delivery, failed)
        delivery.delivered_at = delivery.delivered_at if is_damaged else None
    delivery.save(update_fields=["state", "reason", "remedy", "delivered_at"])


def _unfinished(delivery: Delivery, failed: DeliveryStep | None) -> DeliveryState:
    if delivery.is_held:
        return DeliveryState.HELD
    return DeliveryState.WAITING if failed else DeliveryState.DELIVERING


def override_key(problem: Mapping[str, Any]) -> str:
    """What an override holds of a problem: the same code about something else is another problem."""
    return f"{problem['code']}: {problem['message']}"
