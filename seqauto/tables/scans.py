"""The table of disk scans."""

from typing import Any

import django_tables2 as tables
from django.utils.html import format_html

from seqauto.models import Scan
from seqauto.models.scans import ScanStatus
from seqauto.templatetags import looks

from .parts import NumberColumn, Plain, TimeColumn, labelled


class StageColumn(tables.Column):
    """When a stage began, and under it how long it took."""

    def __init__(self, stage: ScanStatus) -> None:
        self.stage = stage.label
        super().__init__(stage.label, accessor=f"{stage.value}_at", attrs=labelled(stage.label))

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
    end = tables.Column(accessor="duration", attrs=labelled("End"))
    runs_found = NumberColumn("Runs")
    files_seen = NumberColumn("Files")
    changed = tables.Column(accessor="files_changed", attrs=labelled("Changed"))
    task_id = tables.Column(verbose_name="Task ID", attrs={"td": {"class": "mono text-nowrap"}})

    caption = "Disk scans"

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
