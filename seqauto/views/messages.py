"""Messages of all runs and scans: what a person should know, worst first."""

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import MessageFilter
from seqauto.models import Message
from seqauto.models.scans import Severity
from seqauto.tables import MessageTable, show_page

MESSAGES_A_PAGE = 50


@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    filters = MessageFilter(request.GET, queryset=worst_first().select_related("run__experiment"))
    table = MessageTable(filters.qs, exclude=() if request.GET.get("closed") else ("closed_at",))
    show_page(table, request, MESSAGES_A_PAGE)
    context = {"filter": filters, "table": table, "open_count": Message.objects.open().count()}
    return render(request, "messages/list.html", context)


def worst_first() -> QuerySet[Message]:
    ranks = [When(severity=severity, then=Value(rank)) for rank, severity in enumerate(Severity.values)]
    return Message.objects.annotate(rank=Case(*ranks, output_field=IntegerField())).order_by("rank", "-pk")
