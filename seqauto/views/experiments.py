"""The list of experiments."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import ExperimentFilter
from seqauto.models import Experiment
from seqauto.tables import ExperimentTable, Found, show_page, sort_as_asked

from .columns import column_choice, hidden_columns, shown_columns
from .exports import table_response
from .last_runs import last_first, with_last_run
from .paging import counted

EXPERIMENTS_A_PAGE = 50


@require_safe
def experiments(request: HttpRequest) -> HttpResponse:
    filters, shown = _filtered(request), shown_columns(request, "experiments")
    hidden = hidden_columns(ExperimentTable, shown)
    table = ExperimentTable(Found(filters.qs, _with_last_run), exclude=hidden)
    show_page(table, request, EXPERIMENTS_A_PAGE)
    total = counted(filters.qs)
    context = {
        "filter": filters,
        "table": table,
        "total": total,
        "has_any": total["count"] or Experiment.objects.exists(),
        "columns": column_choice("experiments", shown),
    }
    return render(request, "experiments/list.html", context)


def _filtered(request: HttpRequest) -> ExperimentFilter:
    return ExperimentFilter(request.GET, queryset=last_first(Experiment.objects.all()))


def _with_last_run(pks: Sequence[int]) -> list[Any]:
    return with_last_run(Experiment.objects.filter(pk__in=pks), "experiment")


@require_safe
def experiments_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filter lets through, as it is sorted and with the columns that show, as CSV."""
    table = ExperimentTable(Found(_filtered(request).qs, _with_last_run))
    sort_as_asked(table, request)
    return table_response(
        "experiments.csv", ExperimentTable, shown_columns(request, "experiments"), table.data.read
    )
