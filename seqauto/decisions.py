"""What people decide about a delivery: retry, hold, override, deliver now, convert again, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from .audit import record
from .delivery_log import note
from .delivery_states import override_key, refresh_state
from .models import Delivery, DeliveryStep
from .models.deliveries import DeliveryState, StepKind, StepState

FASTQS_IN_THE_WAY = "conflict"  # how the step Convert says so
FROM_CONVERSION_ON = (StepKind.CONVERT, StepKind.UPLOAD, StepKind.SUBMIT)

CAN_BE_FORCED = (
    DeliveryState.SEQUENCING,
    DeliveryState.STALLED,
    DeliveryState.RUN_FAILED,
    DeliveryState.WAITING,
)


class DecisionRefused(Exception):
    """A decision that cannot be carried out as things stand, for a reason that a person can mend."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.remedy = remedy


@contextmanager
def _decision(word: str, delivery: Delivery, user: User | None, reason: str) -> Iterator[None]:
    """The transaction of a decision; what it changed, from what to what, is in the audit at its end.

    No step ends meanwhile: they are locked first, as whatever changes a delivery does.
    """
    with transaction.atomic():
        list(delivery.steps.select_for_update().order_by("pk"))
        before = _standing(delivery)
        yield
        after = _standing(delivery)
        changed = [name for name in after if before[name] != after[name]]
        record(
            f"delivery.{word}",
            delivery,
            user=user,
            rule="" if user else "SeqAuto",
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
            reason=reason,
        )


def _standing(delivery: Delivery) -> dict[str, Any]:
    """Where it stands in the database: what people decide about it, and the state of each step."""
    fields = ("state", "is_held", "is_forced", "overrides", "conversion")
    steps = delivery.steps.order_by("place").values_list("kind", "state")
    return Delivery.objects.values(*fields).get(pk=delivery.pk) | {
        f"step {kind}": state for kind, state in steps
    }


def retry(delivery: Delivery, user: User | None, reason: str = "") -> None:
    """Let the failed step begin again."""
    with _decision("retried", delivery, user, reason):
        step = _failed_step(delivery)
        if step.kind == StepKind.BACK_UP and delivery.gone_at:
            # Waiting for ever, the step would hide what is wrong with the only copy, and end its proofs.
            raise DecisionRefused(
                f"The folder of {delivery.name} is no longer there, so it cannot be backed up again.",
                "Mend the backup; “manage.py verify_runs --run NAME” proves it then.",
            )
        _reset(step)
        note(delivery, f"{step.get_kind_display()} is tried again", step=step.kind, user=user, reason=reason)
        refresh_state(delivery)


def override(delivery: Delivery, user: User | None, codes: Sequence[str], reason: str) -> None:
    """Let the failed step begin again and pass over the errors of these codes."""
    reason = _needed(reason)
    with _decision("overridden", delivery, user, reason):
        step = _failed_step(delivery)
        allowed = overridable_codes(step)
        if not codes or set(codes) - set(allowed):
            raise DecisionRefused("This error cannot be overridden.", "Mend what it names, then press Retry.")
        chosen = [problem for problem in step.problems if problem["code"] in codes]
        delivery.overrides = sorted({*delivery.overrides, *map(override_key, chosen)})
        delivery.save(update_fields=["overrides"])
        _reset(step)
        note(delivery, f"Overrides {', '.join(sorted(codes))}", step=step.kind, user=user, reason=reason)
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
    with _decision("held" if is_held else "released", delivery, user, reason):
        if not Delivery.objects.filter(pk=delivery.pk, is_held=not is_held).update(is_held=is_held):
            raise DecisionRefused("It is on hold already." if is_held else "It is not on hold.")
        if is_held:
            delivery.steps.filter(state=StepState.QUEUED).update(state=StepState.WAITING)
        delivery.refresh_from_db()
        note(delivery, text, user=user, reason=reason)
        refresh_state(delivery)


def deliver_now(delivery: Delivery, user: User | None, reason: str) -> None:
    """Begin without all of the instrument's markers; two equal listings are still asked for."""
    reason = _needed(reason)
    if not can_be_forced(delivery):
        raise DecisionRefused(f"{delivery.name} cannot be begun by hand: {delivery.get_state_display()}.")
    with _decision("begun_by_hand", delivery, user, reason):
        delivery.is_forced, delivery.state = True, DeliveryState.SETTLING
        delivery.reason, delivery.remedy = "Begun by hand. Its files must look the same twice.", ""
        delivery.save(update_fields=["is_forced", "state", "reason", "remedy"])
        note(delivery, "Delivered without its markers", user=user, reason=reason)


def can_be_forced(delivery: Delivery) -> bool:
    """Whether a person may let it begin although the instrument has not said that it is complete."""
    return (
        delivery.state in CAN_BE_FORCED
        and not delivery.is_forced
        and delivery.identity is not None
        and not delivery.has_settled()
    )


def convert_again(delivery: Delivery, user: User | None, reason: str) -> None:
    """Demultiplex anew, under a new number, and upload that; what is there stays as it is."""
    reason = _needed(reason)
    if delivery.gone_at:
        raise DecisionRefused(f"The folder of {delivery.name} is no longer there.", "Put it back first.")
    with _decision("conversion_asked", delivery, user, reason):
        steps = list(delivery.steps.all())
        if not can_be_converted_again(steps):
            raise DecisionRefused(
                f"{delivery.name} has no finished conversion to replace.", "Wait until its steps have ended."
            )
        delivery.conversion += 1
        delivery.delivered_at, delivery.overrides = None, []  # they were said of the conversion before
        delivery.save(update_fields=["conversion", "delivered_at", "overrides"])
        note(
            delivery,
            f"Converted again, as number {delivery.conversion}",
            step=StepKind.CONVERT,
            user=user,
            reason=reason,
        )
        for step in steps:
            if step.kind in FROM_CONVERSION_ON:
                _reset(step)
        refresh_state(delivery)


def can_be_converted_again(steps: Iterable[DeliveryStep]) -> bool:
    """Whether FASTQs are there, of this delivery or in its way, and no step works with them."""
    by_kind = {step.kind: step for step in steps}
    convert = by_kind.get(StepKind.CONVERT)
    later = [step for kind, step in by_kind.items() if kind in FROM_CONVERSION_ON and step != convert]
    if convert is None or any(step.state in (StepState.QUEUED, StepState.RUNNING) for step in later):
        return False
    is_in_the_way = convert.state == StepState.FAILED and convert.code == FASTQS_IN_THE_WAY
    return convert.state == StepState.DONE or is_in_the_way


def _failed_step(delivery: Delivery) -> DeliveryStep:
    step = delivery.steps.filter(state=StepState.FAILED).first()
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
