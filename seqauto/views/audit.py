"""The audit: who or what changed what, when and why; as a page, and as a file for a spreadsheet."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import AuditFilter
from seqauto.models import AuditEntry
from seqauto.roles import CAN_READ_AUDIT
from seqauto.tables import AuditTable

from .exports import csv_response
from .scans import number_in

ENTRIES_A_PAGE = 50
COLUMNS = ["at", "who", "is_person", "action", "kind", "key", "name", "before", "after", "reason"]


@require_safe
@permission_required(CAN_READ_AUDIT, raise_exception=True)
def audit(request: HttpRequest) -> HttpResponse:
    filters = _filtered(request)
    below = number_in(request, "older")
    page = filters.qs.filter(pk__lt=below) if below else filters.qs
    rows = list(page[: ENTRIES_A_PAGE + 1])
    shown = rows[:ENTRIES_A_PAGE]
    context = {
        "filter": filters,
        "table": AuditTable(shown),
        "older": shown[-1].pk if len(rows) > ENTRIES_A_PAGE else None,
        "is_first_page": not below,
    }
    return render(request, "audit/list.html", context)


def _filtered(request: HttpRequest) -> AuditFilter:
    return AuditFilter(request.GET, queryset=AuditEntry.objects.newest_first())


@require_safe
@permission_required(CAN_READ_AUDIT, raise_exception=True)
def audit_export(request: HttpRequest) -> StreamingHttpResponse:
    """All entries that the filter lets through, newest first, as CSV; times are in UTC."""
    entries = _filtered(request).qs.values_list(*COLUMNS)
    return csv_response("seqauto_audit.csv", COLUMNS, entries.iterator(chunk_size=2000))
