"""The files of one run: how many of those expected are there, which are missing, and all by sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from seqauto.models import DeliveryStep, SequencingFile, SequencingRun, SequencingSample
from seqauto.models.deliveries import StepKind, StepState
from seqauto.models.samples import IS_MISSING, MISSING_STATES, DataState
from seqauto.templatetags import looks
from sequencing.layout import FILE_TYPES

from .run_way import rows_in

SAMPLES_A_PAGE = 96
MISSING_SHOWN = 12
OTHERS_SHOWN = 50

#: There, though no sheet asks for it, or of no sample that a sheet names.
IS_ANOTHER = (Q(is_expected=False) | Q(sample=None)) & Q(data_state=DataState.COMPLETE)


# --- How many --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileCount:
    """Files of one kind that are in one state."""

    file_type: str
    lane: int | None
    read: str
    data_state: str
    is_expected: bool
    has_sample: bool
    files: int
    size: int | None

    @property
    def is_wanted(self) -> bool:
        return self.is_expected and self.data_state != DataState.SKIPPED

    @property
    def is_there(self) -> bool:
        return self.data_state == DataState.COMPLETE


def file_counts(run: SequencingRun) -> list[FileCount]:
    """All files of a run, counted in one query by what tells them apart."""
    has_sample = ExpressionWrapper(Q(sample__isnull=False), output_field=BooleanField())
    files = run.files.order_by().annotate(has_sample=has_sample)
    kinds = files.values_list("file_type", "lane", "read", "data_state", "is_expected", "has_sample")
    return [FileCount(*row) for row in kinds.annotate(Count("pk"), Sum("size"))]


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many files of one type are there, of how many; `others` are there though nothing asks for them."""

    label: str
    found: int
    expected: int
    skipped: int
    others: int
    bytes: int


def completeness(counts: Iterable[FileCount]) -> list[Completeness]:
    """By file type, FASTQs first."""
    by_type: dict[str, list[FileCount]] = {}
    for count in counts:
        by_type.setdefault(count.file_type, []).append(count)
    return [_of_type(name, by_type[name]) for name in sorted(by_type, key=_fastqs_first)]


def _fastqs_first(file_type: str) -> tuple[bool, str]:
    return file_type != "fastq", file_type


def _of_type(name: str, counts: Sequence[FileCount]) -> Completeness:
    wanted = [count for count in counts if count.is_wanted]
    return Completeness(
        label=FILE_TYPES[name].label if name in FILE_TYPES else name.upper(),
        found=sum(count.files for count in wanted if count.is_there),
        expected=sum(count.files for count in wanted),
        skipped=sum(count.files for count in counts if count.data_state == DataState.SKIPPED),
        others=sum(count.files for count in counts if count.is_there and not count.is_expected),
        bytes=sum(count.size or 0 for count in counts if count.is_there),
    )


def missing_count(counts: Iterable[FileCount]) -> int:
    return sum(count.files for count in counts if count.is_expected and count.data_state in MISSING_STATES)


# --- What is missing, and what else is there -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notable:
    """The first files that are missing, and the first of those that nothing asks for."""

    missing: Sequence[SequencingFile]
    others: Sequence[SequencingFile]
    has_more_others: bool


def notable_files(run: SequencingRun) -> Notable:
    """In one query, however many there are of each."""
    kind = Case(
        When(IS_MISSING, then=Value("missing")), When(IS_ANOTHER, then=Value("other")), default=Value("")
    )
    place = Window(RowNumber(), partition_by=[F("kind")], order_by="path")
    ranked = run.files.filter(IS_MISSING | IS_ANOTHER).annotate(kind=kind).annotate(place=place)
    first = list(ranked.filter(place__lte=OTHERS_SHOWN + 1).order_by("kind", "path"))
    missing, others = ([file for file in first if file.kind == kind] for kind in ("missing", "other"))
    return Notable(missing[:MISSING_SHOWN], others[:OTHERS_SHOWN], len(others) > OTHERS_SHOWN)


# --- Samples × files -------------------------------------------------------------------------------------


class MatrixForm(forms.Form):
    """What the matrix is narrowed to."""

    q = forms.CharField(
        max_length=200,
        required=False,
        label="Text",
        widget=forms.TextInput(
            {
                "class": "form-control form-control-sm",
                "type": "search",
                "placeholder": "Sample, project, index",
            }
        ),
    )
    need = forms.BooleanField(
        required=False,
        label="only samples in need",
        widget=forms.CheckboxInput({"class": "form-check-input"}),
    )

    @property
    def is_narrowing(self) -> bool:
        return self.is_valid() and any(self.cleaned_data.values())


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of the matrix: a sample, and a cell for each column; `reads` is None where nobody counted."""

    sample: SequencingSample
    indexes: list[str]
    reads: int | None
    cells: SafeString


@dataclass(frozen=True, slots=True)
class Matrix:
    """A page of the matrix. `reads` says whether the reads of its samples are known."""

    columns: list[str]
    rows: list[SampleRow]
    page: Page[SequencingSample]
    has_reads: bool


class _Counted(Paginator):
    """Pages of rows that were counted already."""

    def __init__(self, rows: QuerySet[SequencingSample], per_page: int, count: int) -> None:
        super().__init__(rows, per_page)
        self._counted = count

    @cached_property
    def count(self) -> int:
        return self._counted


def matrix_of(
    run: SequencingRun,
    counts: Iterable[FileCount],
    form: MatrixForm,
    number: str | None,
    reads: Mapping[str, int],
    sample_count: int,
) -> Matrix:
    """The page of this number of what the form narrows the run's samples to, those in need first."""
    samples = _in_need_first(run)
    paginator: Paginator = _Counted(samples, SAMPLES_A_PAGE, sample_count)
    if form.is_narrowing:
        paginator = Paginator(_narrowed(samples, form), SAMPLES_A_PAGE)
    page = paginator.get_page(number)
    columns = columns_of(counts)
    rows = _rows(run, list(page), columns, reads)
    has_lanes = len({lane for _file_type, lane, _read in columns}) > 1
    titles = [_title(column, has_lanes) for column in columns]
    return Matrix(titles, rows, page, bool(reads))


def _in_need_first(run: SequencingRun) -> QuerySet[Any]:
    missing = SequencingFile.objects.filter(IS_MISSING, sample=OuterRef("pk"))
    return run.samples.annotate(in_need=Exists(missing)).order_by("-in_need", "number")


def _narrowed(samples: QuerySet[Any], form: MatrixForm) -> QuerySet[Any]:
    text = form.cleaned_data["q"]
    if text:
        fields = ("sample_id", "sample_name", "project", "indexes")
        matches = Q()
        for field in fields:
            matches |= Q(**{f"{field}__icontains": text})
        samples = samples.filter(matches)
    return samples.filter(in_need=True) if form.cleaned_data["need"] else samples


Column = tuple[str, int | None, str]  # file type, lane, read
NOTHING = format_html('<span class="text-body-secondary">{}</span>', looks.NOTHING)


def columns_of(counts: Iterable[FileCount]) -> list[Column]:
    slots = {(count.file_type, count.lane, count.read) for count in counts if count.has_sample}
    return sorted(slots, key=lambda slot: (*_fastqs_first(slot[0]), slot[1] or 0, slot[2]))


def _title(column: Column, has_lanes: bool) -> str:
    """Without its lane where the run has only one."""
    file_type, lane, read = column
    name = "" if file_type == "fastq" else file_type.upper()
    parts = (f"L{lane}" if lane and has_lanes else "", read, name)
    return " ".join(part for part in parts if part) or file_type


def _rows(
    run: SequencingRun,
    samples: Sequence[SequencingSample],
    columns: Sequence[Column],
    reads: Mapping[str, int],
) -> list[SampleRow]:
    places = {column: place for place, column in enumerate(columns)}
    cells: dict[int | None, list[list[looks.State]]] = {
        sample.pk: [[] for _ in columns] for sample in samples
    }
    for file in run.files.filter(sample__in=samples).order_by("path"):
        place = places.get((file.file_type, file.lane, file.read))
        if place is not None:  # else a scan has recorded it since the columns were read
            cells[file.sample_id][place].append(looks.file_state(file))
    return [
        SampleRow(sample, _indexes(sample), reads.get(sample.sample_id), _cells(cells[sample.pk]))
        for sample in samples
    ]


def _cells(files: Iterable[Sequence[looks.State]]) -> SafeString:
    """A cell for each column, with all files of it; a template would take thrice as long over hundreds."""
    return format_html_join("", '<td class="cell">{}</td>', ((_cell(states),) for states in files))


def _cell(states: Sequence[looks.State]) -> looks.State | SafeString:
    if len(states) == 1:
        return states[0]
    return format_html_join("", "{}", ((state,) for state in states)) if states else NOTHING


def _indexes(sample: SequencingSample) -> list[str]:
    """Each index once; a sample stands on a row a lane, often with the same one."""
    return list(dict.fromkeys(sample.indexes.split()))


def reads_by_sample(steps: Mapping[str, DeliveryStep]) -> dict[str, int]:
    """Reads of each Sample_ID in all lanes, as the delivery's conversion counted them; else empty."""
    step = steps.get(StepKind.CONVERT)
    if step is None or step.state != StepState.DONE:
        return {}
    counted = step.figures.get("demultiplexing") if isinstance(step.figures, dict) else None
    sums: dict[str, int] = {}
    for row in rows_in(counted.get("samples")) if isinstance(counted, dict) else ():
        name, reads = str(row.get("sample_id")), row.get("reads")
        sums[name] = sums.get(name, 0) + (reads if isinstance(reads, int) else 0)
    return sums
