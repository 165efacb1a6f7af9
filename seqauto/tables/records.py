"""The tables of messages and of the audit."""

from typing import Any

import django_tables2 as tables
from django.utils.html import format_html

from seqauto.models import AuditEntry, Message, SequencingRun
from seqauto.templatetags import audit_looks, looks

from .parts import Plain, TimeColumn


class MessageTable(Plain):
    severity = tables.Column()
    text = tables.Column(verbose_name="Message", orderable=False)
    run = tables.Column(orderable=False, attrs={"td": {"data-label": "Run"}})
    opened_at = TimeColumn("Since")
    closed_at = TimeColumn("Closed", orderable=False)

    caption = "Messages"

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


class AuditTable(Plain):
    at = tables.Column(verbose_name="When, who", attrs={"td": {"class": "text-nowrap align-top"}})
    name = tables.Column(verbose_name="What", attrs={"td": {"class": "run align-top"}})
    after = tables.Column(
        verbose_name="Before → after", empty_values=(), attrs={"td": {"class": "align-top"}}
    )
    reason = tables.Column(verbose_name="Why", attrs={"td": {"class": "align-top", "data-label": "Why"}})

    caption = "Audit entries"

    class Meta(Plain.Meta):
        orderable = False
        empty_text = "No entry fits. What people and rules change is written here, with who, when and why."

    def render_at(self, value: Any, record: AuditEntry) -> str:
        icon = "person" if record.is_person else "gear"
        by = "a person" if record.is_person else "a rule"
        return format_html(
            '{}<div><i class="bi bi-{}" title="{}" aria-hidden="true"></i>'
            '<span class="visually-hidden">{}: </span> {}</div>',
            looks.when_exactly(value),
            icon,
            by,
            by,
            looks.printable(record.who),
        )

    def render_name(self, record: AuditEntry) -> str:
        return format_html(
            '<div class="mono">{}</div>{}', looks.printable(record.action), audit_looks.subject(record)
        )

    def render_after(self, record: AuditEntry) -> str:
        return format_html('<div class="prose">{}</div>', audit_looks.changes(record))

    def render_reason(self, value: str) -> str:
        return format_html('<div class="prose">{}</div>', looks.printable(value))
