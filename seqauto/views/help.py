"""Help: what pages, states and error codes mean."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from seqauto.guide import CODES, PAGES, STATES
from seqauto.templatetags import looks
from seqauto.templatetags.menu import ENTRIES, Entry

_BEYOND_THE_MENU = (Entry("A run", "runs"), Entry("A scan", "scans"), Entry("A delivery", "deliveries"))


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    context = {"pages": _pages(), "states": _states(), "tab": "help"}
    return render(request, "help/list.html", context)


def _pages() -> list[tuple[Entry, str]]:
    """The pages of the menu, in its order, with what each is for."""
    known = [
        (entry, PAGES.get(entry.page) or PAGES.get(entry.page.partition("_")[0], "")) for entry in ENTRIES
    ]
    singular = zip(_BEYOND_THE_MENU, ("run", "scan", "delivery"), strict=True)
    return [*known, *((entry, PAGES[name]) for entry, name in singular)]


def _states() -> list[tuple[str, list[tuple[looks.State, str]]]]:
    return [
        (what, [(looks.state_of(state), said) for state, said in states.items()])
        for what, states in STATES.items()
    ]


@require_safe
def help_codes(request: HttpRequest) -> HttpResponse:
    return render(request, "help/codes.html", {"groups": CODES, "tab": "codes"})
