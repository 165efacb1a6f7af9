"""The list of files with their full paths: on the page, as text, and as CSV."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import FileFilter
from seqauto.models import SequencingFile
from seqauto.models.prefixes import Folded
from seqauto.tables import FileTable, in_order, in_order_table
from seqauto.templatetags.looks import printable

from .columns import column_choice, shown_columns
from .exports import table_response, text_response
from .paging import Order, Page, asked_order, counted, page_of, walked

FILES_A_PAGE = 50
MOST_WEIGHED = 2000

#: Each is met by an index; runs stand in the order in which scans found them.
BY_RUN: dict[str, Order] = {"-run": ("-run_id", "path"), "run": ("run_id", "path")}
BY_RUN_OF_SAMPLE: dict[str, Order] = {
    "-run": ("-sample__run_id", "path", "pk"),
    "run": ("sample__run_id", "path", "pk"),
}
BY_SAMPLE: dict[str, Order] = {
    "sample": ("folded_id", "sample_id", "path"),
    "-sample": ("-folded_id", "-sample_id", "path"),
}


@require_safe
def files(request: HttpRequest) -> HttpResponse:
    filters, shown = _filtered(request), shown_columns(request, "files")
    rows, orders = _sortable(filters)
    sort, order = asked_order(request, orders)
    page = page_of(request, rows, order, FILES_A_PAGE)
    found = SequencingFile.objects.filter(pk__in=page.pks).select_related("run__experiment", "sample")
    total = _total(rows, page)
    sample = filters.value("sample")
    context = {
        "filter": filters,
        "table": in_order_table(FileTable, in_order(page.pks, found), orders, sort, shown),
        "page": page,
        "total": total,
        "has_any": total["count"] or SequencingFile.objects.exists(),
        "columns": column_choice("files", shown),
        "sample": sample,
        "sample_query": urlencode({"q": sample.sample_id, "flag": "all"}) if sample else "",
    }
    return render(request, "files/list.html", context)


def _filtered(request: HttpRequest) -> FileFilter:
    return FileFilter(request.GET, queryset=SequencingFile.objects.all())


def _sortable(filters: FileFilter) -> tuple[QuerySet[SequencingFile], dict[str, Order]]:
    """What the filter lets through, and how it can be sorted: as it lies in the index that finds it."""
    if filters.finds_by_sample():
        # That they have a sample is said so that databases may begin with the samples.
        of_samples = filters.qs.filter(sample__sample_id__gt="")
        return of_samples.annotate(folded_id=Folded("sample__sample_id")), BY_SAMPLE
    return filters.qs, BY_RUN_OF_SAMPLE if filters.value("project") else BY_RUN


def _total(rows: QuerySet[SequencingFile], page: Page) -> dict[str, Any]:
    """How many files there are and, of as many as a run or two have, how large they are."""
    total = counted(rows, page)
    if 0 < total["count"] <= MOST_WEIGHED:
        total |= rows.order_by().aggregate(bytes=Sum("size"))
    return total


def _in_order(request: HttpRequest) -> tuple[QuerySet[SequencingFile], Order]:
    rows, orders = _sortable(_filtered(request))
    _sort, order = asked_order(request, orders)
    return rows, order


@require_safe
def files_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filter lets through, as it is sorted and with the columns that show, as CSV."""
    rows, order = _in_order(request)
    columns = shown_columns(request, "files")
    return table_response("files.csv", FileTable, columns, lambda fields: walked(rows, order, fields))


@require_safe
def files_paths(request: HttpRequest) -> StreamingHttpResponse:
    """The full paths of what the filter lets through, a line each."""
    return text_response("paths.txt", _lines(*_in_order(request)))


def _lines(files: QuerySet[SequencingFile], order: Order) -> Iterator[str]:
    for folder, path in walked(files, order, ["run__path", "path"]):
        yield f"{printable(folder)}/{printable(path)}\n"
