"""Help: what pages, states and error codes mean."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.guide import CODES, PAGES, STATES
from seqauto.templatetags import looks
from seqauto.templatetags.menu import ENTRIES, Entry

_BEYOND_THE_MENU = {
    "run": Entry("A run", "runs"),
    "scan": Entry("A scan", "scans"),
    "delivery": Entry("A delivery", "deliveries"),
}


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    context = {"pages": _pages(request), "states": _states(), "tab": "help"}
    return render(request, "help/list.html", context)


def _pages(request: HttpRequest) -> list[tuple[Entry, str]]:
    """The pages of the menus that this user sees, in their order, with what each is for."""
    known = [
        (entry, PAGES.get(entry.page) or PAGES.get(entry.page.partition("_")[0], ""))
        for entry in (*ENTRIES, *_of_the_user_menu(request))
    ]
    return [*known, *((entry, PAGES[name]) for name, entry in _BEYOND_THE_MENU.items())]


def _of_the_user_menu(request: HttpRequest) -> Iterator[Entry]:
    if request.user.is_superuser:
        yield Entry("Server status", "server_status")
    if request.user.has_perm("seqauto.view_auditentry"):
        yield Entry("Audit", "audit")


def _states() -> list[tuple[str, list[tuple[looks.State, str]]]]:
    return [
        (what, [(looks.state_of(state), said) for state, said in states.items()])
        for what, states in STATES.items()
    ]


@require_safe
def help_codes(request: HttpRequest) -> HttpResponse:
    return render(request, "help/codes.html", {"groups": CODES, "tab": "codes"})
