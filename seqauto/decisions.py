"""What people decide about a delivery: retry, hold, override, deliver now, convert again; each with its event."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction

from .delivery_states import refresh_state
from .models import Delivery, DeliveryEvent, DeliveryStep
from .models.deliveries import DeliveryState, StepKind, StepState

# A run may be delivered in these although the instrument has not said that it is complete.
CAN_BE_FORCED = (DeliveryState.SEQUENCING, DeliveryState.STALLED, DeliveryState.RUN_FAILED)


class DecisionRefused(Exception):
    """A decision that cannot be carried out as things stand, for a reason that a person can mend."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.remedy = remedy


def retry(delivery: Delivery, user: User | None, reason: str = "") -> None:
    """Let the failed step begin again."""
    with transaction.atomic():
        step = _failed_step(delivery)
        _reset(step)
        _note(delivery, user, f"{step.get_kind_display()} is tried again", reason, step.kind)
        refresh_state(delivery)


def override(delivery: Delivery, user: User | None, codes: Sequence[str], reason: str) -> None:
    """Let the failed step begin again and pass over the errors of these codes."""
    reason = _needed(reason)
    with transaction.atomic():
        step = _failed_step(delivery)
        allowed = overridable_codes(step)
        if not codes or set(codes) - set(allowed):
            raise DecisionRefused("This error cannot be overridden.", "Mend what it names, then press Retry.")
        delivery.overrides = sorted({*delivery.overrides, *codes})
        delivery.save(update_fields=["overrides"])
        _reset(step)
        _note(delivery, user, f"Overrides {', '.join(sorted(codes))}", reason, step.kind)
        refresh_state(delivery)


def overridable_codes(step: DeliveryStep) -> list[str]:
    """The codes among a failed step's problems that a person may pass over, in their order."""
    return list(dict.fromkeys(problem["code"] for problem in step.problems if problem.get("can_override")))


def hold(delivery: Delivery, user: User | None, reason: str) -> None:
    """Let no further step begin; one that is at work goes on to its end."""
    _set_held(delivery, user, True, "Put on hold", _needed(reason))


def release(delivery: Delivery, user: User | None, reason: str = "") -> None:
    _set_held(delivery, user, False, "Released from hold", reason)


def _set_held(delivery: Delivery, user: User | None, is_held: bool, text: str, reason: str) -> None:
    with transaction.atomic():
        if not Delivery.objects.filter(pk=delivery.pk, is_held=not is_held).update(is_held=is_held):
            raise DecisionRefused("It is on hold already." if is_held else "It is not on hold.")
        delivery.refresh_from_db()
        _note(delivery, user, text, reason)
        refresh_state(delivery)


def deliver_now(delivery: Delivery, user: User | None, reason: str) -> None:
    """Begin without all of the instrument's markers; two equal listings are still asked for."""
    reason = _needed(reason)
    with transaction.atomic():
        changed = Delivery.objects.filter(
            pk=delivery.pk, state__in=CAN_BE_FORCED, is_forced=False, identity__isnull=False
        ).update(is_forced=True, state=DeliveryState.SETTLING)
        if not changed:
            raise DecisionRefused(f"{delivery.name} cannot be begun by hand: {delivery.get_state_display()}.")
        _note(delivery, user, "Delivered without its markers", reason)
    delivery.refresh_from_db()


def convert_again(delivery: Delivery, user: User | None, reason: str) -> None:
    """Demultiplex anew, under a new number, and upload that; what is there stays as it is."""
    reason = _needed(reason)
    with transaction.atomic():
        steps = {step.kind: step for step in delivery.steps.select_for_update()}
        convert, upload = steps.get(StepKind.CONVERT), steps.get(StepKind.UPLOAD)
        busy = (StepState.QUEUED, StepState.RUNNING)
        if convert is None or upload is None or convert.state != StepState.DONE or upload.state in busy:
            raise DecisionRefused(
                f"{delivery.name} has no finished conversion to replace.", "Wait until its steps have ended."
            )
        delivery.conversion += 1
        delivery.delivered_at = None
        delivery.save(update_fields=["conversion", "delivered_at"])
        _note(delivery, user, f"Converted again, as number {delivery.conversion}", reason, StepKind.CONVERT)
        for step in (convert, upload):
            _reset(step)
        refresh_state(delivery)


def _failed_step(delivery: Delivery) -> DeliveryStep:
    step = delivery.steps.select_for_update().filter(state=StepState.FAILED).first()
    if step is None:
        raise DecisionRefused(f"No step of {delivery.name} has failed.")
    return step


def _reset(step: DeliveryStep) -> None:
    """Back to Waiting; the figures of the last attempt stay until the next one has its own."""
    step.state, step.deaths = StepState.WAITING, 0
    step.save(update_fields=["state", "deaths"])


def _needed(reason: str) -> str:
    if not reason.strip():
        raise DecisionRefused("Say why: a reason is needed, and kept.")
    return reason.strip()


def _note(delivery: Delivery, user: User | None, text: str, reason: str, step: str = "") -> None:
    DeliveryEvent.objects.create(
        delivery=delivery,
        user=user,
        user_name=user.get_username() if user else "",
        step=step,
        text=text,
        reason=reason.strip(),
    )
