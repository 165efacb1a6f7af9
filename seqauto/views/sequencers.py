"""The list of sequencers: which runs they made, and which have fallen silent."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import SequencerFilter
from seqauto.models import Sequencer
from seqauto.tables import Found, SequencerTable, show_page, sort_as_asked

from .columns import column_choice, hidden_columns, shown_columns
from .exports import table_response
from .last_runs import last_first, with_last_run
from .paging import counted

SEQUENCERS_A_PAGE = 50


@require_safe
def sequencers(request: HttpRequest) -> HttpResponse:
    filters, shown = _filtered(request), shown_columns(request, "sequencers")
    hidden = hidden_columns(SequencerTable, shown)
    table = SequencerTable(Found(filters.qs, _with_last_run), exclude=hidden)
    show_page(table, request, SEQUENCERS_A_PAGE)
    total = counted(filters.qs)
    context = {
        "filter": filters,
        "table": table,
        "total": total,
        "has_any": total["count"] or Sequencer.objects.exists(),
        "columns": column_choice("sequencers", shown),
    }
    return render(request, "sequencers/list.html", context)


def _filtered(request: HttpRequest) -> SequencerFilter:
    return SequencerFilter(request.GET, queryset=last_first(Sequencer.objects.all()))


def _with_last_run(pks: Sequence[int]) -> list[Any]:
    return with_last_run(Sequencer.objects.filter(pk__in=pks), "sequencer")


@require_safe
def sequencers_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filter lets through, as it is sorted and with the columns that show, as CSV."""
    table = SequencerTable(Found(_filtered(request).qs, _with_last_run))
    sort_as_asked(table, request)
    return table_response(
        "sequencers.csv", SequencerTable, shown_columns(request, "sequencers"), table.data.read
    )
