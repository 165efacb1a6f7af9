"""The tables of runs, of the experiments they belong to, and of sequencers."""

from datetime import date
from typing import Any

from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from seqauto.models import Experiment, Sequencer, SequencingRun
from seqauto.templatetags import looks

from .parts import Column, Made, NumberColumn, Plain, SizeColumn, TimeColumn, labelled

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


def run_link(run: SequencingRun) -> str:
    """A run by its experiment, else by its folder's name."""
    return format_html(
        '<a href="{}" class="{}">{}</a>',
        run.get_absolute_url(),
        "" if run.experiment else "mono",
        looks.printable(run.experiment or run.name),
    )


def run_over_name(run: SequencingRun, more: str = "") -> str:
    """The experiment over the folder's name; `more` stands beside what is on top."""
    name = looks.printable(run.name) if run.experiment else ""
    below = format_html('<div class="mono below">{}</div>', name) if name else ""
    return format_html("{} {}{}", run_link(run), more, below)


def _reads(reads: list[Any]) -> str:
    return SequencingRun(reads=reads).reads_summary


class RunTable(Plain):
    chosen = Column(accessor="pk", verbose_name="Chosen", orderable=False, attrs={"td": {"class": "choose"}})
    name = Column(
        verbose_name="Run",
        attrs={"td": {"class": "run"}},
        values={
            "run": "name",
            "experiment": "experiment__name",
            "folder": "path",
            "gold standard": "is_gold_standard",
            "bad": "is_bad",
            "hidden": "is_hidden",
            "legacy": "is_legacy",
        },
    )
    instrument = Column(
        accessor="sequencer",
        verbose_name="Instrument",
        order_by=("sequencer__model", "sequencer__serial"),
        attrs={"td": {"class": "text-nowrap"}},
        values={"model": "sequencer__model", "instrument": "sequencer__serial"},
    )
    date = Column(attrs={"td": {"class": "text-nowrap"}}, values={"date": "date"}, verbose_name="Date")
    group = Column(verbose_name="Group", attrs={"td": {"data-label": "Group"}}, values={"group": "group"})
    state = Column(verbose_name="State", values={"state": "state", "reason": "state_reason"})
    found = Column(
        accessor="files_found",
        verbose_name="FASTQs found",
        attrs={"td": {"data-label": "FASTQs"}},
        values={"FASTQs found": "files_found", "FASTQs expected": "files_expected"},
    )
    open_messages = Column(
        attrs=labelled("Messages"), verbose_name="Messages", values={"open messages": "open_messages"}
    )
    flowcell = Column(
        verbose_name="Flow cell", attrs={"td": {"class": "mono"}}, values={"flow cell": "flowcell"}
    )
    reads = Column(
        accessor="reads_summary",
        verbose_name="Reads",
        orderable=False,
        values={"reads": Made("reads", _reads)},
    )
    lanes = NumberColumn("Lanes", accessor="lane_count", values={"lanes": "lane_count"})
    samples = NumberColumn("Samples", accessor="sample_count", values={"samples": "sample_count"})
    files = NumberColumn("Files", accessor="files_total", values={"files": "files_total"})
    size = SizeColumn("Size", accessor="bytes_total", values={"bytes": "bytes_total"})
    written = TimeColumn("Last written", accessor="updated_at", values={"last written": "updated_at"})

    caption = "Runs"
    usual = ("name", "instrument", "date", "group", "state", "found", "open_messages")

    class Meta(Plain.Meta):
        empty_text = "No run fits."

    def order_date(self, rows: QuerySet[SequencingRun], is_falling: bool) -> tuple[Any, bool]:
        return _by_date(rows, "date", is_falling)

    def render_chosen(self, record: SequencingRun) -> str:
        return format_html(
            '<input class="form-check-input" type="checkbox" name="run" value="{}" form="chosen"'
            ' aria-label="Choose {}">',
            record.pk,
            looks.printable(record.experiment or record.name),
        )

    def render_name(self, record: SequencingRun) -> str:
        return run_over_name(record, flag_chips(record))

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

    def render_open_messages(self, value: int, record: SequencingRun) -> str:
        if not value:
            return looks.NOTHING
        address = reverse("run_messages", args=[record.pk])
        return format_html('<a href="{}">{}</a>', address, looks.thousands(value))

    def render_flowcell(self, value: str) -> str:
        return looks.printable(value)


def _by_date(rows: QuerySet[Any], field: str, is_falling: bool) -> tuple[QuerySet[Any], bool]:
    """What has no date stands last either way."""
    date = F(field)
    return rows.order_by(date.desc(nulls_last=True) if is_falling else date.asc(nulls_last=True)), True


class LastRunTable(Plain):
    """Things that have runs: the last of them, and how many."""

    last = Column(
        accessor="last_run",
        verbose_name="Last run",
        attrs={"td": {"class": "run"}},
        values={"last run": "last_date"},
        empty_values=(),
    )
    runs = NumberColumn("Runs", accessor="run_count", values={"runs": "run_count"})

    class Meta(Plain.Meta):
        pass

    def order_last(self, rows: QuerySet[Any], is_falling: bool) -> tuple[QuerySet[Any], bool]:
        return _by_date(rows, "last_date", is_falling)

    def render_last(self, value: SequencingRun | None) -> str:
        return _with_state(run_link(value), value) if value else looks.NOTHING


def _with_state(link: str, run: SequencingRun) -> str:
    return format_html('{}<div class="below">{}, {}</div>', link, looks.day(run.date), looks.run_state(run))


class ExperimentTable(LastRunTable):
    name = Column(verbose_name="Experiment", attrs={"td": {"class": "run"}}, values={"experiment": "name"})

    caption = "Experiments"
    usual = ("name", "last", "runs")

    class Meta(LastRunTable.Meta):
        sequence = ("name", "...")
        empty_text = "No experiment fits."

    def render_name(self, value: str, record: Experiment) -> str:
        return format_html(
            '<a href="{}?experiment={}">{}</a>', reverse("runs"), record.pk, looks.printable(value)
        )

    def render_last(self, value: SequencingRun | None) -> str:
        """By its folder's name: the experiment stands beside it."""
        if value is None:
            return looks.NOTHING
        link = format_html(
            '<a class="mono" href="{}">{}</a>', value.get_absolute_url(), looks.printable(value.name)
        )
        return _with_state(link, value)


def _days_since(day: date | None) -> int | None:
    return None if day is None else max(0, (timezone.localdate() - day).days)


#: A sequencer without a run for so many days is silent enough to ask why.
SILENT_DAYS = 30


class SequencerTable(LastRunTable):
    serial = Column(verbose_name="Sequencer", values={"sequencer": "serial"})
    model = Column(verbose_name="Model", values={"model": "model"})
    silent = Column(
        accessor="last_date",
        verbose_name="Silent for",
        empty_values=(),
        attrs={"td": {"data-label": "Silent for"}},
        values={"days silent": Made("last_date", _days_since)},
    )

    caption = "Sequencers"
    usual = ("serial", "model", "last", "silent", "runs")

    class Meta(LastRunTable.Meta):
        sequence = ("serial", "model", "last", "silent", "runs")
        empty_text = "No sequencer fits."

    def order_silent(self, rows: QuerySet[Any], is_falling: bool) -> tuple[QuerySet[Any], bool]:
        return _by_date(rows, "last_date", not is_falling)

    def render_serial(self, value: str, record: Sequencer) -> str:
        return format_html(
            '<a class="mono" href="{}?instrument={}">{}</a>',
            reverse("runs"),
            record.pk,
            looks.printable(value),
        )

    def render_model(self, value: str) -> str:
        return looks.printable(value)

    def render_silent(self, value: Any) -> str:
        if (days := _days_since(value)) is None:
            return looks.sign("idle", "no run yet")
        words = looks.plural(days, "day")
        return looks.sign("warn", words) if days >= SILENT_DAYS else words
