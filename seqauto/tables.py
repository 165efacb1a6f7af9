"""The tables of the pages: which columns, how each cell looks."""

from typing import Any

import django_tables2 as tables
from django.core.paginator import EmptyPage
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from .models import AuditEntry, Delivery, Message, Scan, SequencingRun
from .models.deliveries import DeliveryState
from .models.scans import ScanStatus
from .templatetags import audit_looks, delivery_looks, looks


def _labelled(label: str) -> dict[str, dict[str, str]]:
    """A column of numbers; on a phone, where rows become cards, each number carries its label."""
    return {"th": {"class": "num"}, "td": {"class": "num", "data-label": label}}


class Plain(tables.Table):
    """What all tables share: our own template, text from disks made printable, a dash for nothing."""

    class Meta:
        template_name = "parts/table.html"
        attrs = {"class": "table table-hover cards"}
        default = looks.NOTHING


class Pages(tables.LazyPaginator):
    """Pages that nobody counts; a number beyond what a database takes for an offset is no page."""

    def validate_number(self, number: Any) -> int:
        valid: int = super().validate_number(number)
        if valid > 1_000_000:
            raise EmptyPage(f"There is no page {valid}.")
        return valid


def show_page(table: tables.Table, request: HttpRequest, rows: int) -> None:
    """Sort the table as the address asks, and keep the rows of the page that it asks for."""
    tables.RequestConfig(request, paginate={"paginator_class": Pages, "per_page": rows}).configure(table)


class NumberColumn(tables.Column):
    def __init__(self, label: str, **kwargs: Any) -> None:
        super().__init__(label, attrs=_labelled(label), **kwargs)

    def render(self, value: int) -> str:
        return looks.thousands(value)


class TimeColumn(NumberColumn):
    def render(self, value: Any) -> str:
        return looks.when(value)


class StageColumn(tables.Column):
    """When a stage began, and under it how long it took."""

    def __init__(self, stage: ScanStatus) -> None:
        self.stage = stage.label
        super().__init__(stage.label, accessor=f"{stage.value}_at", attrs=_labelled(stage.label))

    def render(self, value: Any, record: Scan) -> str:
        return _time_and_duration(record, value, record.stage_times[self.stage])


def _time_and_duration(scan: Scan, moment: Any, took: Any) -> str:
    return format_html(
        '{}<div class="below">{}</div>', looks.when(moment, beside=scan.created_at), looks.duration(took)
    )


class ScanTable(Plain):
    scan = tables.Column(accessor="pk", linkify=True)
    status = tables.Column()
    started_by = tables.Column(accessor="started_by_name", verbose_name="Started by")
    created_at = TimeColumn("Created")
    scanning_files = StageColumn(ScanStatus.SCANNING_FILES)
    create_models = StageColumn(ScanStatus.CREATE_MODELS)
    scripts_and_jobs = StageColumn(ScanStatus.SCRIPTS_AND_JOBS)
    end = tables.Column(accessor="duration", attrs=_labelled("End"))
    runs_found = NumberColumn("Runs")
    files_seen = NumberColumn("Files")
    changed = tables.Column(accessor="files_changed", attrs=_labelled("Changed"))
    task_id = tables.Column(verbose_name="Task ID", attrs={"td": {"class": "mono text-nowrap"}})

    class Meta(Plain.Meta):
        orderable = False
        empty_text = "No scan yet. The first one will stand here with what it found."

    def render_scan(self, value: int) -> str:
        return f"View SeqAuto Run {value}"

    def render_status(self, record: Scan) -> looks.State:
        return looks.state_of(ScanStatus(record.status), reason=record.error)

    def render_end(self, record: Scan, value: Any) -> str:
        """When it ended, and under it how long it took from start to end."""
        return _time_and_duration(record, record.ended_at, value)

    def render_files_seen(self, value: int, record: Scan) -> str:
        return looks.NOTHING if record.started_at is None else looks.thousands(value)

    def render_changed(self, record: Scan) -> str:
        if record.runs_found is None:  # It never came to recording.
            return looks.NOTHING
        return looks.changes(record.files_appeared, record.files_vanished, record.files_changed)

    def render_task_id(self, value: str) -> str:
        if len(value) < 12:
            return value
        return format_html('<span title="{}">{}…{}</span>', value, value[:4], value[-2:])


FLAGS = {
    "is_gold_standard": ("star-fill", "gold standard"),
    "is_bad": ("hand-thumbs-down-fill", "bad"),
    "is_hidden": ("eye-slash-fill", "hidden"),
    "is_legacy": ("archive-fill", "legacy"),
}


def flag_chips(run: SequencingRun) -> str:
    chips = ((icon, word) for field, (icon, word) in FLAGS.items() if getattr(run, field))
    return format_html_join(
        " ", '<span class="chip"><i class="bi bi-{}" aria-hidden="true"></i> {}</span>', chips
    )


class RunTable(Plain):
    name = tables.Column(verbose_name="Run", attrs={"td": {"class": "run"}})
    instrument = tables.Column(
        accessor="sequencer",
        verbose_name="Instrument",
        order_by=("sequencer__model", "sequencer__serial"),
        attrs={"td": {"class": "text-nowrap"}},
    )
    date = tables.Column(attrs={"td": {"class": "text-nowrap"}})
    group = tables.Column()
    state = tables.Column()
    found = tables.Column(accessor="files_found", verbose_name="FASTQs found")
    open_messages = tables.Column(attrs=_labelled("Messages"), verbose_name="Messages")

    class Meta(Plain.Meta):
        empty_text = "No run fits."

    def render_name(self, record: SequencingRun) -> str:
        name = looks.printable(record.name)
        link = '<a href="{}" class="{}">{}</a> {}'
        if record.experiment is None:
            return format_html(link, record.get_absolute_url(), "mono", name, flag_chips(record))
        return format_html(
            link + '<div class="mono below">{}</div>',
            record.get_absolute_url(),
            "",
            looks.printable(record.experiment),
            flag_chips(record),
            name,
        )

    def render_instrument(self, value: Any) -> str:
        return format_html(
            '{}<div class="mono below">{}</div>', looks.printable(value.model), looks.printable(value.serial)
        )

    def render_date(self, value: Any) -> str:
        return looks.day(value)

    def render_group(self, value: str) -> str:
        return looks.printable(value)

    def render_state(self, record: SequencingRun) -> str:
        reason = looks.printable(record.state_reason)
        return format_html(
            '{}<div class="below reason" title="{}">{}</div>', looks.run_state(record), reason, reason
        )

    def render_found(self, record: SequencingRun) -> str:
        return looks.found_bar(record.files_found, record.files_expected)

    def render_open_messages(self, value: int) -> str:
        return looks.thousands(value) if value else looks.NOTHING


class MessageTable(Plain):
    severity = tables.Column(order_by=("-rank",))
    text = tables.Column(verbose_name="Message", orderable=False)
    run = tables.Column(orderable=False)
    opened_at = TimeColumn("Since")
    closed_at = TimeColumn("Closed")

    class Meta(Plain.Meta):
        empty_text = (
            "No message fits. Scans write here what a person should know, and close it when it is gone."
        )

    def render_severity(self, value: str, record: Message) -> looks.State:
        return looks.severity_state(record.severity)

    def render_text(self, record: Message) -> str:
        remedy = (
            format_html('<div class="below">{}</div>', looks.printable(record.remedy))
            if record.remedy
            else ""
        )
        place = (
            format_html(' <span class="mono below">{}</span>', looks.printable(record.place))
            if record.place
            else ""
        )
        return format_html('<div class="prose">{}{}{}</div>', looks.printable(record.text), place, remedy)

    def render_run(self, value: SequencingRun) -> str:
        return format_html(
            '<a href="{}" class="{}">{}</a>',
            value.get_absolute_url(),
            "" if value.experiment else "mono",
            looks.printable(value.experiment or value.name),
        )


class DeliveryTable(Plain):
    name = tables.Column(verbose_name="Run", attrs={"td": {"class": "run"}})
    instrument = tables.Column(order_by=("model", "instrument"), attrs={"td": {"class": "text-nowrap"}})
    state = tables.Column()
    steps = tables.Column(accessor="pk", orderable=False)
    in_hand = tables.Column(accessor="pk", verbose_name="In hand", orderable=False)
    found_at = TimeColumn("Found")

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


class AuditTable(Plain):
    at = tables.Column(verbose_name="When", attrs={"td": {"class": "text-nowrap"}})
    who = tables.Column(attrs={"td": {"class": "text-nowrap"}})
    action = tables.Column(attrs={"td": {"class": "mono text-nowrap"}})
    name = tables.Column(verbose_name="What", attrs={"td": {"class": "run"}})
    after = tables.Column(verbose_name="Before → after", empty_values=())
    reason = tables.Column(verbose_name="Why")

    class Meta(Plain.Meta):
        orderable = False
        empty_text = "No entry fits. What people and rules change is written here, with who, when and why."

    def render_at(self, value: Any) -> str:
        return looks.when_exactly(value)

    def render_who(self, value: str, record: AuditEntry) -> str:
        icon = "person" if record.is_person else "gear"
        by = "a person" if record.is_person else "a rule"
        return format_html(
            '<i class="bi bi-{}" title="{}" aria-hidden="true"></i>'
            '<span class="visually-hidden">{}: </span> {}',
            icon,
            by,
            by,
            looks.printable(value),
        )

    def render_action(self, value: str) -> str:
        return looks.printable(value)

    def render_name(self, record: AuditEntry) -> str:
        return audit_looks.subject(record)

    def render_after(self, record: AuditEntry) -> str:
        return format_html('<div class="prose">{}</div>', audit_looks.changes(record))

    def render_reason(self, value: str) -> str:
        return format_html('<div class="prose">{}</div>', looks.printable(value))


class SizeColumn(NumberColumn):
    def render(self, value: int) -> str:
        return looks.size(value)


class HoldingTable(Plain):
    """What each run holds on this server; of rows as the page makes them."""

    run = tables.Column(attrs={"td": {"class": "run"}})
    source = SizeColumn("Run folder")
    backup = SizeColumn("Backup")
    fastqs = SizeColumn("FASTQs")
    sum = SizeColumn("In all")
    may_go = tables.Column(attrs=_labelled("May go"), verbose_name="May go", empty_values=())

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
