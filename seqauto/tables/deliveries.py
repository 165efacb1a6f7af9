"""The tables of deliveries, and of what runs hold on this server."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import django_tables2 as tables
from django.utils import timezone
from django.utils.html import format_html

from seqauto.models import Delivery
from seqauto.models.deliveries import DeliveryState
from seqauto.templatetags import delivery_looks, looks

from .parts import NumberColumn, Plain, SizeColumn, TimeColumn, labelled


class DeliveryTable(Plain):
    name = tables.Column(verbose_name="Run", attrs={"td": {"class": "run"}})
    instrument = tables.Column(order_by=("model", "instrument"), attrs={"td": {"class": "text-nowrap"}})
    state = tables.Column()
    steps = tables.Column(accessor="pk", orderable=False)
    in_hand = tables.Column(accessor="pk", verbose_name="In hand", orderable=False)
    found_at = TimeColumn("Found")

    caption = "Deliveries"

    class Meta(Plain.Meta):
        empty_text = "No run fits."

    def render_name(self, record: Any) -> str:
        """The experiment, where a scan knows it, over the folder's name."""
        name = looks.printable(record.name)
        if not record.experiment:
            return format_html('<a href="{}" class="mono">{}</a>', record.get_absolute_url(), name)
        return format_html(
            '<a href="{}">{}</a><div class="mono below">{}</div>',
            record.get_absolute_url(),
            looks.printable(record.experiment),
            name,
        )

    def render_instrument(self, record: Delivery) -> str:
        model = record.model or looks.NOTHING
        return format_html(
            '{}<div class="mono below">{}</div>', looks.printable(model), looks.printable(record.instrument)
        )

    def render_state(self, record: Delivery) -> str:
        reason = looks.printable(record.reason)
        held = format_html(' <span class="chip">{}</span>', "on hold") if _is_held_besides(record) else ""
        return format_html(
            '{}{}<div class="below reason" title="{}">{}</div>',
            delivery_looks.delivery_state(record),
            held,
            reason,
            reason,
        )

    def render_steps(self, record: Delivery) -> str:
        return delivery_looks.step_signs(record)

    def render_in_hand(self, record: Delivery) -> str:
        """In an element of its own, which the live part of the page replaces."""
        return format_html('<div id="hand-{}">{}</div>', record.pk, delivery_looks.in_hand(record))

    def render_found_at(self, record: Delivery, value: Any) -> str:
        """When it was found, and under it how old it is, or how soon it was delivered."""
        begin = record.complete_at or record.found_at
        age = (
            f"delivered in {looks.duration(record.delivered_at - begin)}"
            if record.delivered_at
            else looks.ago(value)
        )
        return format_html('{}<div class="below">{}</div>', looks.when(value), age)


def _is_held_besides(delivery: Delivery) -> bool:
    return delivery.is_held and delivery.state != DeliveryState.HELD


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that stand somewhere, and what is to be said of them; `until` then, where that is known."""

    bytes: int
    note: str = ""
    until: datetime | None = None
    is_amiss: bool = False


class HeldColumn(NumberColumn):
    def render(self, value: Held) -> str:
        note = looks.sign("warn", value.note) if value.is_amiss else value.note
        until = format_html(", freed after {}", looks.when(value.until)) if value.until else ""
        below = format_html('<div class="below">{}{}</div>', note, until) if value.note else ""
        return format_html("{}{}", looks.size(value.bytes), below)


class HoldingTable(Plain):
    """What each run holds on this server; of rows as the page makes them."""

    run = tables.Column(attrs={"td": {"class": "run"}})
    source = HeldColumn("Run folder")
    backup = HeldColumn("Backup")
    fastqs = HeldColumn("FASTQs")
    sum = SizeColumn("In all")
    may_go = tables.Column(attrs=labelled("May go"), verbose_name="May go", empty_values=())

    caption = "What runs hold on this server"

    class Meta(Plain.Meta):
        orderable = False
        empty_text = "No run yet. Each will stand here with what it holds where."

    def render_run(self, value: Delivery) -> str:
        return format_html(
            '<a href="{}" class="mono">{}</a>', value.get_absolute_url(), looks.printable(value.name)
        )

    def render_may_go(self, value: Any, record: Any) -> str:
        if record["is_held"]:
            return looks.sign("idle", "held")
        if value is None:
            return looks.NOTHING
        return "now, by its age" if value <= timezone.now() else looks.day(timezone.localtime(value))
