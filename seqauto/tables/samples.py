"""The tables of samples and of files."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import Value
from django.db.models.functions import Concat
from django.urls import reverse
from django.utils.html import format_html

from seqauto.models import SequencingFile, SequencingRun, SequencingSample
from seqauto.templatetags import looks
from sequencing.kinds import FILE_TYPES

from .parts import Column, Made, NumberColumn, Plain, TimeColumn
from .runs import run_over_name

RUN_VALUES = {"run": "run__name", "experiment": "run__experiment__name"}


def _files_of(sample: SequencingSample) -> str:
    return f"{reverse('files')}?sample={sample.pk}"


class SampleTable(Plain):
    sample_id = Column(
        verbose_name="Sample",
        attrs={"td": {"class": "sample"}},
        values={
            "sample": "sample_id",
            "sample name": "sample_name",
            "control": "is_control",
            "failed": "is_failed",
        },
    )
    project = Column(verbose_name="Project", orderable=False, values={"project": "project"})
    run = Column(verbose_name="Run", attrs={"td": {"class": "run"}}, values=RUN_VALUES)
    date = Column(
        accessor="run__date",
        verbose_name="Date",
        orderable=False,
        attrs={"td": {"class": "text-nowrap"}},
        values={"date": "run__date"},
    )
    found = Column(
        verbose_name="FASTQs found",
        orderable=False,
        attrs={"td": {"data-label": "FASTQs"}},
        values={"FASTQs found": "found", "FASTQs expected": "expected"},
    )
    instrument = Column(
        accessor="run__sequencer",
        verbose_name="Instrument",
        orderable=False,
        values={"model": "run__sequencer__model", "instrument": "run__sequencer__serial"},
    )
    group = Column(
        accessor="run__group", verbose_name="Group", orderable=False, values={"group": "run__group"}
    )
    indexes = Column(
        verbose_name="Index", orderable=False, attrs={"td": {"class": "mono"}}, values={"index": "indexes"}
    )
    lanes = Column(verbose_name="Lanes", orderable=False, values={"lanes": "lanes"})
    number = NumberColumn("Number", orderable=False, values={"number": "number"})

    caption = "Samples"
    usual = ("sample_id", "project", "run", "date", "found")

    class Meta(Plain.Meta):
        empty_text = "No sample fits."

    def render_sample_id(self, value: str, record: SequencingSample) -> str:
        name = record.sample_name if record.sample_name != value else ""
        return format_html(
            '<a href="{}">{}</a>{}{}{}',
            _files_of(record),
            looks.printable(value),
            format_html(' <span class="chip">{}</span>', "control") if record.is_control else "",
            format_html(' <span class="chip">{}</span>', "failed") if record.is_failed else "",
            format_html('<div class="below">{}</div>', looks.printable(name)) if name else "",
        )

    def render_project(self, value: str) -> str:
        return looks.printable(value)

    def render_run(self, value: SequencingRun) -> str:
        return run_over_name(value)

    def render_date(self, value: Any) -> str:
        return looks.day(value)

    def render_found(self, record: Any) -> str:
        return looks.found_bar(record.found, record.expected)

    def render_instrument(self, value: Any) -> str:
        return looks.printable(value)

    def render_group(self, value: str) -> str:
        return looks.printable(value)

    def render_indexes(self, value: str) -> str:
        return looks.printable(", ".join(dict.fromkeys(value.split())))

    def render_lanes(self, value: str) -> str:
        return looks.printable(value)


def _moment(nanoseconds: int | None) -> datetime | None:
    """A time of the file system; None where it tells none, or one beyond the calendar."""
    if nanoseconds is None:
        return None
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class FileTable(Plain):
    path = Column(
        verbose_name="File",
        orderable=False,
        attrs={"td": {"class": "file"}},
        values={"path": Concat("run__path", Value("/"), "path")},
    )
    state = Column(
        accessor="data_state",
        verbose_name="State",
        orderable=False,
        values={"state": "data_state", "bytes": "size"},
    )
    sample = Column(
        verbose_name="Sample",
        attrs={"td": {"class": "sample"}},
        values={"sample": "sample__sample_id", "project": "sample__project"},
    )
    read = Column(
        verbose_name="Read",
        orderable=False,
        attrs={"td": {"class": "text-nowrap"}},
        values={"lane": "lane", "read": "read"},
    )
    run = Column(verbose_name="Run", attrs={"td": {"class": "run"}}, values=RUN_VALUES)
    file_type = Column(verbose_name="Type", orderable=False, values={"type": "file_type"})
    expected = Column(
        accessor="is_expected", verbose_name="Expected", orderable=False, values={"expected": "is_expected"}
    )
    modified = TimeColumn(
        "Modified", accessor="mtime_ns", orderable=False, values={"modified": Made("mtime_ns", _moment)}
    )
    recorded = TimeColumn(
        "Recorded", accessor="changed_at", orderable=False, values={"recorded": "changed_at"}
    )

    caption = "Files"
    usual = ("path", "state", "sample", "read", "run")

    class Meta(Plain.Meta):
        empty_text = "No file fits."

    def render_path(self, record: SequencingFile) -> str:
        """In full, so that it can be marked and copied; what differs from file to file stands out."""
        folder, _slash, name = f"{record.run.path}/{record.path}".rpartition("/")
        return format_html(
            '<span class="mono full-path"><span class="folder">{}/</span><span class="name">{}</span></span>'
            '<button class="copy" type="button" data-copy="{}" aria-label="Copy the path of {}" title="Copy">'
            '<i class="bi bi-clipboard" aria-hidden="true"></i></button>',
            looks.printable(folder),
            looks.printable(name),
            f"{folder}/{name}",
            looks.printable(name),
        )

    def render_state(self, record: SequencingFile) -> looks.State:
        return looks.file_state(record)

    def render_sample(self, value: SequencingSample) -> str:
        project = looks.printable(value.project)
        return format_html(
            '<a href="{}">{}</a>{}',
            _files_of(value),
            looks.printable(value.sample_id),
            format_html('<div class="below">{}</div>', project) if project else "",
        )

    def render_run(self, value: SequencingRun) -> str:
        return run_over_name(value)

    def render_read(self, record: SequencingFile) -> str:
        lane = f"L{record.lane}" if record.lane else ""
        return looks.printable(f"{lane} {record.read}".strip())

    def render_file_type(self, value: str) -> str:
        known = FILE_TYPES.get(value)
        return known.label if known else looks.printable(value)

    def render_expected(self, value: bool) -> str:
        return "yes" if value else "no"

    def render_modified(self, value: int) -> str:
        return looks.when(_moment(value))
