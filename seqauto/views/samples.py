"""The list of samples, and from each the way to its files."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import FileFilter, SampleFilter
from seqauto.models import SequencingFile, SequencingSample
from seqauto.models.prefixes import Folded
from seqauto.models.samples import IS_WANTED, DataState
from seqauto.tables import SampleTable, in_order, in_order_table

from .columns import column_choice, shown_columns
from .exports import table_response
from .paging import Order, asked_order, counted, page_of, walked

SAMPLES_A_PAGE = 50

#: Each is met by an index; runs stand in the order in which scans found them.
BY_RUN: dict[str, Order] = {"-run": ("-run_id", "number", "pk"), "run": ("run_id", "number", "pk")}
BY_SAMPLE: dict[str, Order] = {"sample_id": ("folded_id", "pk"), "-sample_id": ("-folded_id", "-pk")}
FOUND = IS_WANTED & Q(data_state=DataState.COMPLETE)


@require_safe
def samples(request: HttpRequest) -> HttpResponse:
    filters, shown = _filtered(request), shown_columns(request, "samples")
    orders = _orders(filters)
    sort, order = asked_order(request, orders)
    page = page_of(request, filters.qs, order, SAMPLES_A_PAGE)
    rows = in_order(page.pks, with_counts(page.pks))
    total = counted(filters.qs, page)
    context = {
        "filter": filters,
        "table": in_order_table(SampleTable, rows, orders, sort, shown),
        "page": page,
        "total": total,
        "has_any": total["count"] or SequencingSample.objects.exists(),
        "files_query": _query_of_files(filters),
        "columns": column_choice("samples", shown),
    }
    return render(request, "samples/list.html", context)


def _filtered(request: HttpRequest) -> SampleFilter:
    samples = SequencingSample.objects.annotate(folded_id=Folded("sample_id"))
    return SampleFilter(request.GET, queryset=samples)


def _query_of_files(filters: SampleFilter) -> str:
    """What the list is narrowed to, as far as files can be narrowed to it too."""
    both = [name for name in filters.form.fields if name in FileFilter.base_filters]
    return urlencode({name: filters.data[name] for name in both if filters.data.get(name)})


def _orders(filters: SampleFilter) -> dict[str, Order]:
    """How the list can be sorted: as the rows lie in the index that finds them, or any way."""
    if filters.value("q"):
        return BY_SAMPLE
    return BY_RUN if filters.is_of_some_runs() else BY_RUN | BY_SAMPLE


def with_counts(pks: Sequence[int]) -> list[Any]:
    """Samples with their run, and how many FASTQs each should have and has."""
    files = SequencingFile.objects.filter(sample__in=pks).order_by().values("sample")
    counts = {
        row["sample"]: row
        for row in files.annotate(expected=Count("pk", filter=IS_WANTED), found=Count("pk", filter=FOUND))
    }
    samples: list[Any] = list(
        SequencingSample.objects.filter(pk__in=pks).select_related("run__experiment", "run__sequencer")
    )
    for sample in samples:
        count: Any = counts.get(sample.pk, {})
        sample.expected, sample.found = count.get("expected", 0), count.get("found", 0)
    return samples


@require_safe
def samples_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filter lets through, as it is sorted and with the columns that show, as CSV."""
    filters = _filtered(request)
    _sort, order = asked_order(request, _orders(filters))
    rows = filters.qs.annotate(expected=_files(IS_WANTED), found=_files(FOUND))
    columns = shown_columns(request, "samples")
    return table_response("samples.csv", SampleTable, columns, lambda fields: walked(rows, order, fields))


def _files(which: Q) -> Coalesce:
    """How many such files a sample has."""
    files = SequencingFile.objects.filter(which, sample=OuterRef("pk")).order_by().values("sample")
    count = Subquery(files.annotate(count=Count("pk")).values("count"), output_field=IntegerField())
    return Coalesce(count, 0)
