"""The audit: who or what changed what, when and why; as a page, and as a file for a spreadsheet."""

import csv
import json
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.filters import AuditFilter
from seqauto.models import AuditEntry
from seqauto.tables import AuditTable
from seqauto.templatetags.looks import printable

from .scans import number_in

ENTRIES_A_PAGE = 50
CAN_READ = "seqauto.view_auditentry"
COLUMNS = ["at", "who", "is_person", "action", "kind", "key", "name", "before", "after", "reason"]


@require_safe
@permission_required(CAN_READ, raise_exception=True)
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
@permission_required(CAN_READ, raise_exception=True)
def audit_export(request: HttpRequest) -> StreamingHttpResponse:
    """All entries that the filter lets through, newest first, as CSV; times are in UTC."""
    response = StreamingHttpResponse(_csv(_filtered(request).qs), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="seqauto_audit.csv"'
    return response


class _Line:
    """What csv writes to: gives each line back."""

    def write(self, line: str) -> str:
        return line


def _csv(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(COLUMNS)
    for entry in entries.iterator(chunk_size=2000):
        yield writer.writerow([inert(_text(getattr(entry, column))) for column in COLUMNS])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat(timespec="seconds"))
    return "" if value is None else str(value)


def inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what might begin one.

    Which signs those are: OWASP, "CSV Injection".
    """
    return printable(f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text)
