"""The menu: which pages stand where, and which of them one is on."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse

register = template.Library()


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of the menu; `pages` are the first words of the addresses' names that belong to it."""

    word: str
    page: str
    pages: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return reverse(self.page)

    def is_of(self, page: str) -> bool:
        return page == self.page or page.partition("_")[0] in self.pages


TODAY = Entry("Today", "home")
SEQUENCING = (
    Entry("Runs", "runs", ("run", "runs")),
    Entry("Samples", "samples"),
    Entry("Files", "files"),
    Entry("Experiments", "experiments"),
    Entry("Sequencers", "sequencers"),
    Entry("Messages", "messages"),
    Entry("Manage disk scans", "scans", ("scan", "scans")),
    Entry("Trends", "trends"),
)
DELIVERIES = (
    Entry("Deliveries", "deliveries", ("delivery", "deliveries")),
    Entry("Safe to delete", "clean_up", ("clean",)),
    Entry("Storage", "storage"),
)
CHECK = Entry("Check a sample sheet", "check_sheet")
ENTRIES = (TODAY, *SEQUENCING, *DELIVERIES, CHECK)


@register.inclusion_tag("parts/menu.html", takes_context=True)
def menu(context: RequestContext) -> dict[str, Any]:
    """The menu of a page; `here` is the entry that the page belongs to."""
    match = getattr(context.get("request"), "resolver_match", None)
    page = (match and match.url_name) or ""
    here = next((entry for entry in ENTRIES if entry.is_of(page)), None)
    return {
        "sections": {"Sequencing": SEQUENCING, "Deliveries": DELIVERIES},
        "today": TODAY,
        "alone": [CHECK],
        "here": here,
        "page": page,
        **{name: context.get(name) for name in ("user", "perms", "csrf_token", "request")},
    }
