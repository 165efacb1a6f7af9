"""Which columns of a list show: as the address says, else as this browser was told, else the usual ones."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from seqauto.tables import ExperimentTable, FileTable, Plain, RunTable, SampleTable, SequencerTable

LISTS: dict[str, type[Plain]] = {
    "runs": RunTable,
    "samples": SampleTable,
    "files": FileTable,
    "experiments": ExperimentTable,
    "sequencers": SequencerTable,
}
A_YEAR = 365 * 24 * 3600


def shown_columns(request: HttpRequest, name: str) -> list[str]:
    """The columns of the list of this name that show, as they stand in the table."""
    table = LISTS[name]
    wanted = request.GET.get("columns") or request.COOKIES.get(_cookie(name)) or ""
    return _known(table, wanted.split(".")) or list(table.usual)


def _known(table: type[Plain], wanted: list[str]) -> list[str]:
    """Those of `wanted` that there are, behind the first, which always shows; none where none is known."""
    known = [column for column in table.choosable() if column in wanted]
    return [table.usual[0], *known] if known else []


def hidden_columns(table: type[Plain], shown: list[str]) -> list[str]:
    return [name for name in table.base_columns if name not in shown]


def column_choice(name: str, shown: list[str]) -> dict[str, Any]:
    """What the menu of columns shows."""
    choices = LISTS[name].choosable().items()
    return {
        "list": name,
        "choices": [(column, label, column in shown) for column, label in choices],
        "shown": ".".join(shown),
    }


def _cookie(name: str) -> str:
    return f"columns_{name}"


@require_POST
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Keep which columns a list shows, in this browser alone, and show it so."""
    name = request.POST.get("list", "")
    if name not in LISTS:
        return HttpResponseBadRequest("There is no list of that name.")
    table = LISTS[name]
    chosen = _known(table, request.POST.getlist("column"))
    is_usual = "usual" in request.POST or not chosen or chosen == list(table.usual)
    text = "" if is_usual else ".".join(chosen)
    response = redirect(_with_columns(name, QueryDict(request.POST.get("query", "")), text))
    if is_usual:
        response.delete_cookie(_cookie(name))
    else:
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(_cookie(name), text, A_YEAR, secure=secure, httponly=True, samesite="Lax")
    return response


def _with_columns(name: str, query: QueryDict, columns: str) -> str:
    """The address of a list as it was, with these columns: whoever gets the link sees the same."""
    query = query.copy()
    query.pop("columns", None)
    if columns:
        query["columns"] = columns
    return f"{reverse(name)}?{query.urlencode()}" if query else reverse(name)
