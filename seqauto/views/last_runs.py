"""Of things that have runs, experiments and sequencers: how many runs, and the last of them."""

from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery

from seqauto.models import SequencingRun
from seqauto.models.runs import RunState

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
