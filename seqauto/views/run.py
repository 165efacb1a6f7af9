"""One run: its files, its way from instrument to archive, its messages and its history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from seqauto import scans as story
from seqauto.models import Delivery, Message, SampleSheet, Scan, SequencingRun, SequencingSample
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanStatus, Severity
from seqauto.roles import CAN_FLAG, CAN_START
from seqauto.run_links import links_of
from seqauto.tables import FLAGS
from seqauto.templatetags import looks

from .exports import csv_response
from .run_history import history_of
from .run_matrix import (
    IS_MISSING,
    MatrixForm,
    completeness,
    file_counts,
    matrix_of,
    missing_count,
    notable_files,
    reads_by_sample,
)
from .run_timeline import time_of, timeline_of
from .run_way import in_hours, way_of

MESSAGES_SHOWN = 20
MESSAGES_A_PAGE = 50
ENTRIES_A_PAGE = 100

IS_LEGACY = "It is a legacy run, which scans never update."


def run_of(pk: int) -> Any:
    """The SequencingRun with all that the head of its pages tells of other tables, in one query."""
    sheets = SampleSheet.objects.filter(run=OuterRef("pk"))
    current = sheets.filter(is_current=True)
    of_run = Delivery.objects.filter(identity=OuterRef("identity"))
    at_work = Scan.objects.filter(Q(is_running=True) | Q(status=ScanStatus.CREATED))
    runs = SequencingRun.objects.select_related(
        "sequencer", "experiment", "first_scan", "last_scan"
    ).annotate(
        open_messages=_count(Message.objects.open().filter(run=OuterRef("pk"))),
        sample_rows=_count(SequencingSample.objects.filter(run=OuterRef("pk"))),
        sheet_count=_count(sheets),
        sheet_version=Subquery(current.values("version")[:1]),
        sheet_is_usable=Subquery(current.values("is_usable")[:1]),
        delivery_state=Subquery(of_run.values("state")[:1]),
        is_at_work=Exists(at_work),
    )
    return get_object_or_404(runs, pk=pk)


def _count(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().values("run").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


def run_context(request: HttpRequest, run: SequencingRun, tab: str) -> dict[str, Any]:
    """What the head of every page of a run shows."""
    return {
        "run": run,
        "tab": tab,
        "way": way_of(run),
        "index_cycles": " + ".join(str(cycles) for cycles, is_index in run.reads if is_index),
        "can_scan": request.user.has_perm(CAN_START),
        "can_flag": request.user.has_perm(CAN_FLAG),
        "is_legacy": IS_LEGACY if run.is_legacy else "",
        "disabled": story.why_disabled(),
        "flags": [word for field, (_icon, word) in FLAGS.items() if getattr(run, field)],
        "links": links_of(run, settings.SEQAUTO_RUN_LINKS),
    }


def address_of(name: str) -> str:
    """The address of a page that this site may be without, "" then."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


# --- Files ---------------------------------------------------------------------------------------------


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_of(pk)
    context = run_context(request, run, "files")
    form, counts = MatrixForm(request.GET), file_counts(run)
    reads = reads_by_sample(context["way"].steps)
    matrix = matrix_of(run, counts, form, request.GET.get("page"), reads, run.sample_rows)
    context |= {
        "form": form,
        "matrix": matrix,
        "page": matrix.page,
        "completeness": completeness(counts),
        "missing_count": missing_count(counts),
        "samples_address": address_of("samples"),
    }
    if not form.is_narrowing:
        context["todo"] = _todo(run, bool(context["missing_count"])) if run.open_messages else []
        context["notable"] = notable_files(run)
    return render(request, "runs/files.html", context)


def _todo(run: SequencingRun, has_missing: bool) -> list[Message]:
    """What a person should know; that files are missing is said where they are listed."""
    worst_first = list(_worst_first(run.messages.open())[:MESSAGES_SHOWN])
    return [message for message in worst_first if not (has_missing and message.code == "files_missing")]


def _worst_first(messages: QuerySet[Message], *before: OrderBy) -> QuerySet[Message]:
    """By severity; `before` sorts first."""
    ranks = [When(severity=severity, then=Value(rank)) for rank, severity in enumerate(Severity.values)]
    ranked = messages.alias(rank=Case(*ranks, output_field=IntegerField()))
    return ranked.order_by(*before, "rank", "-pk")


@require_safe
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The strip of stages, while something is in hand."""
    way = way_of(run_of(pk))
    response = render(request, "runs/way.html", {"run": way.run, "way": way})
    if request.GET.get("seen") != way.mark:
        # The page fetches itself anew: once a change of state, not once a poll.
        response["HX-Trigger-After-Settle"] = "run-moved-on"
    return response


@require_safe
def run_missing(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Full paths of the files that should be there and are not, a line each."""
    run = get_object_or_404(SequencingRun, pk=pk)
    files = run.files.filter(IS_MISSING).order_by("path")
    lines = (f"{looks.printable(run.path)}/{looks.printable(path)}\n" for path in _paths(files))
    return StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")


def _paths(files: Any) -> Iterator[str]:
    yield from files.values_list("path", flat=True).iterator(chunk_size=2000)


#: The name of each column of the CSV, and where its values come from.
FILE_COLUMNS = {
    "sample_id": "sample__sample_id",
    "project": "sample__project",
    "file_type": "file_type",
    "lane": "lane",
    "read": "read",
    "is_expected": "is_expected",
    "bytes": "size",
    "state": "data_state",
    "modified_at": "mtime_ns",
    "path": "path",
}


@require_safe
def run_files(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """All files of a run as CSV, those expected and those found, with their full paths."""
    run = get_object_or_404(SequencingRun, pk=pk)
    filename = f"{looks.printable(run.name)}_files.csv"
    return csv_response(filename, list(FILE_COLUMNS), _file_rows(run))


def _file_rows(run: SequencingRun) -> Iterator[list[object]]:
    rows = run.files.order_by("path").values_list(*FILE_COLUMNS.values())
    for *first, state, mtime_ns, path in rows.iterator(chunk_size=2000):
        yield [*first, DataState(state).label, time_of(mtime_ns), f"{run.path}/{path}"]


# --- Timeline, messages, history -----------------------------------------------------------------------


@require_safe
def run_timeline(request: HttpRequest, pk: int) -> HttpResponse:
    context = run_context(request, run_of(pk), "timeline")
    timeline = timeline_of(context["way"])
    took = in_hours(timeline.took) if timeline.took else ""
    return render(request, "runs/timeline.html", context | {"timeline": timeline, "took": took})


@require_safe
def run_messages(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_of(pk)
    # Open ones have no time of closing, which the two databases put at different ends.
    messages = _worst_first(run.messages.all(), F("closed_at").desc(nulls_first=True))
    messages = messages.select_related("scan", "closed_by_scan")
    page = Paginator(messages, MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "runs/messages.html", run_context(request, run, "messages") | {"page": page})


@require_safe
def run_history(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_of(pk)
    page = Paginator(history_of(run), ENTRIES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "runs/history.html", run_context(request, run, "history") | {"page": page})
