"""Lists of things that have runs, experiments and sequencers: how many runs, and the last of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max, Model, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django_filters import FilterSet

from seqauto.models import SequencingRun
from seqauto.models.runs import RunState
from seqauto.tables import Found, Plain, show_page, sort_as_asked

from .columns import column_choice, hidden_columns, shown_columns
from .exports import table_response
from .paging import counted

ROWS_A_PAGE = 50

#: The runs that the list of runs shows unless it is asked for others.
LISTED = Q(runs__is_hidden=False) & ~Q(runs__state=RunState.NOT_SCANNED)


def last_first(things: QuerySet[Any]) -> QuerySet[Any]:
    """With the date of the last run and how many there are; those that ran last stand first."""
    dated = things.annotate(
        last_date=Max("runs__date", filter=LISTED), run_count=Count("runs", filter=LISTED)
    )
    return dated.order_by(F("last_date").desc(nulls_last=True), "-pk")


def with_last_run(things: QuerySet[Any], field: str) -> list[Any]:
    """The rows of a page, each with its last run; `field` is what a run calls such a thing."""
    runs = SequencingRun.objects.visible().exclude(state=RunState.NOT_SCANNED)
    newest = runs.filter(**{field: OuterRef("pk")}).newest_first().values("pk")[:1]
    rows = list(last_first(things).annotate(last_pk=Subquery(newest)))
    last_runs = SequencingRun.objects.select_related("experiment").in_bulk([row.last_pk for row in rows])
    for row in rows:
        row.last_run = last_runs.get(row.last_pk)
    return rows


@dataclass(frozen=True, slots=True)
class ListWithRuns:
    """One such list. `name` is of its address, columns and template; `field` is what a run calls a thing."""

    name: str
    field: str
    model: type[Model]
    filters: type[FilterSet]
    table: type[Plain]

    def page(self, request: HttpRequest) -> HttpResponse:
        filters, shown = self._filtered(request), shown_columns(request, self.name)
        table = self.table(Found(filters.qs, self._read), exclude=hidden_columns(self.table, shown))
        show_page(table, request, ROWS_A_PAGE)
        total = counted(filters.qs)
        context = {
            "filter": filters,
            "table": table,
            "total": total,
            "has_any": total["count"] or self.model._default_manager.exists(),
            "columns": column_choice(self.name, shown),
        }
        return render(request, f"{self.name}/list.html", context)

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """What the filter lets through, as it is sorted and with the columns that show, as CSV."""
        table = self.table(Found(self._filtered(request).qs, self._read))
        sort_as_asked(table, request)
        shown = shown_columns(request, self.name)
        return table_response(f"{self.name}.csv", self.table, shown, table.data.read)

    def _filtered(self, request: HttpRequest) -> FilterSet:
        return self.filters(request.GET, queryset=last_first(self.model._default_manager.all()))

    def _read(self, pks: Sequence[int]) -> list[Any]:
        return with_last_run(self.model._default_manager.filter(pk__in=pks), self.field)
