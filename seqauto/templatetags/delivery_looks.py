"""How deliveries look to people: where each stands, its steps, and how far the step in hand is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from seqauto.models import Delivery, DeliveryStep
from seqauto.models.deliveries import WAITS_FOR_ROOM, DeliveryState, StepState

from .looks import NOTHING, SIGNS, State, code_words, compact_time, duration, printable, size, state_of

register = template.Library()

NOT_WATCHED = (
    "Its incoming folder is not watched any more: "
    "nothing goes on until it is named in SEQAUTO_INCOMING_DIRS again."
)
BUSY = (StepState.QUEUED, StepState.RUNNING)
#: What is left can be told only when some of the work, and some time, has passed.
SHORTEST_HISTORY = timedelta(seconds=2)


@register.filter
def delivery_state(delivery: Delivery) -> State:
    state = state_of(DeliveryState(delivery.state))
    if delivery.waits_for_room:
        state = State(WAITS_FOR_ROOM, "warn")
    return replace(state, look="warn") if is_stranded(delivery) and state.look != "bad" else state


@register.filter
def is_stranded(delivery: Delivery) -> bool:
    """Whether nobody watches its incoming folder; False where the query that fetched it did not ask."""
    return getattr(delivery, "is_stranded", False)


@register.filter
def step_state(step: DeliveryStep) -> State:
    return state_of(StepState(step.state))


@register.filter
def overridden(key: str) -> str:
    """What an override holds, to be read: `empty_fastq: A_1 …` is "Empty FASTQ: A_1 …"."""
    code, colon, message = key.partition(":")
    return f"{code_words(code)}{colon}{message}"


@register.filter
def told(words: str) -> str:
    """Words that may hold markup of our own, such as a time's; all others are made printable."""
    return words if isinstance(words, SafeString) else printable(words)


@register.filter
def rate(bytes_a_second: float | None) -> str:
    return f"{size(int(bytes_a_second))}/s" if bytes_a_second else NOTHING


@register.filter
def step_signs(delivery: Delivery) -> str:
    """A sign for each step, in order; which step and how it stands on hover and for screen readers."""
    states = [(step.get_kind_display(), step_state(step)) for step in delivery.steps.all()]
    signs = ((state.look, f"{kind}: {state.word}", SIGNS[state.look]) for kind, state in states)
    items = format_html_join(
        "",
        '<li class="state {}" title="{}"><i class="bi bi-{}" aria-hidden="true"></i>'
        '<span class="visually-hidden">{}</span></li>',
        ((look, words, sign, words) for look, words, sign in signs),
    )
    return format_html('<ol class="step-signs">{}</ol>', items) if states else NOTHING


def busy_step(delivery: Delivery) -> DeliveryStep | None:
    """The step that is at work, or next to be."""
    return next((step for step in delivery.steps.all() if step.state in BUSY), None)


@register.filter
def in_hand(delivery: Delivery) -> SafeString:
    """What happens to a run just now: a bar where it is known how far it is, and words; else nothing."""
    share, words, doing = _in_hand(delivery)
    bar = (
        format_html(
            '<progress class="bar" value="{}" max="1000" aria-hidden="true"></progress>', round(share * 1000)
        )
        if share is not None
        else ""
    )
    below = format_html('<span class="below">{}</span>', printable(doing)) if doing else ""
    return (
        format_html('<span class="hand">{}<span>{}</span>{}</span>', bar, words, below)
        if words
        else SafeString()
    )


def _in_hand(delivery: Delivery) -> tuple[float | None, str, str]:
    """(share done, how far it is, what it does): `0.41`, `Back up 41 %, 310 MB/s, about 12 m left`."""
    if is_stranded(delivery):
        return None, NOT_WATCHED, ""
    step = busy_step(delivery)
    if step:
        return step.share if step.state == StepState.RUNNING else None, _step_words(step), step.doing
    if delivery.state == DeliveryState.SEQUENCING and delivery.cycles_total:
        cycles = min(delivery.cycles or 0, delivery.cycles_total)
        return cycles / delivery.cycles_total, f"Cycle {cycles} of {delivery.cycles_total}", ""
    if delivery.state == DeliveryState.SETTLING and delivery.listing_at:
        return None, f"Unchanged since {compact_time(delivery.listing_at)}", ""
    return None, "", ""


def _step_words(step: DeliveryStep) -> str:
    kind = step.get_kind_display()
    if step.state == StepState.QUEUED:
        return f"{kind} waits its turn"
    if is_silent(step):
        return f"{kind}: no sign of life from its worker; it begins again by itself"
    share = "" if step.share is None else f" {step.share * 100:.0f} %"
    left = time_left(step)
    parts = (
        f"{kind}{share}",
        rate(step.bytes_a_second) if step.bytes_a_second else "",
        f"about {duration(left)} left" if left else "",
    )
    return ", ".join(part.replace(" ", "\u00a0") for part in parts if part)  # a line breaks at commas


def is_silent(step: DeliveryStep) -> bool:
    """Whether its worker has let its lease run out: it died, or was cut off."""
    return bool(step.lease_until and step.lease_until < timezone.now())


def time_left(step: DeliveryStep) -> timedelta | None:
    """How long it will go on, if what is to come goes as what is done."""
    share, took = step.share, step.duration
    if not share or share >= 1 or took is None or took < SHORTEST_HISTORY:
        return None
    return took / share * (1 - share)
