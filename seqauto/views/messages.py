"""Messages of all runs and scans: what a person should know, worst first."""

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import MessageFilter
from seqauto.models import Message
from seqauto.models.scans import Severity
from seqauto.tables import MessageTable, in_order, in_order_table

from .paging import asked_order, counted, page_of

MESSAGES_A_PAGE = 50

#: Open ones are few enough to sort by how bad they are; with the closed ones only their time is quick.
ORDERS = {"-opened_at": ("-pk",), "opened_at": ("pk",)}
ORDERS_OF_OPEN = {"severity": ("rank", "-pk"), "-severity": ("-rank", "-pk"), **ORDERS}


@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    filters = MessageFilter(request.GET, queryset=ranked())
    found = filters.qs
    with_closed = filters.value("closed")
    orders = ORDERS if with_closed else ORDERS_OF_OPEN
    shown = [name for name in MessageTable.base_columns if with_closed or name != "closed_at"]
    sort, order = asked_order(request, orders)
    page = page_of(request, found, order, MESSAGES_A_PAGE)
    rows = in_order(page.pks, ranked().filter(pk__in=page.pks).select_related("run__experiment"))
    context = {
        "filter": filters,
        "table": in_order_table(MessageTable, rows, orders, sort, shown),
        "page": page,
        # Words in closed messages are looked for row by row: once is slow enough.
        "total": None if with_closed and filters.value("q") else counted(found, page),
        "open_count": Message.objects.open().count(),
    }
    return render(request, "messages/list.html", context)


def ranked() -> QuerySet[Message]:
    """With `rank`: 0 for the worst."""
    ranks = [When(severity=severity, then=Value(rank)) for rank, severity in enumerate(Severity.values)]
    return Message.objects.annotate(rank=Case(*ranks, output_field=IntegerField()))
