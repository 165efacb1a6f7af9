"""How entries of the audit look to people."""

import json
from collections.abc import Iterator
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from seqauto.models import AuditEntry

from .looks import NOTHING, printable

register = template.Library()

#: The page of what an entry tells of, by its kind.
PAGES = {"delivery": "delivery", "sequencingrun": "run", "scan": "scan", "removal": "clean_up_removal"}
LONGEST_VALUE = 200


@register.filter
def changes(entry: AuditEntry) -> SafeString:
    """`is held: no → yes`, a line a change; what was not there before is told without a "before"."""
    return format_html_join("", "<div>{}: {}</div>", _changes(entry))


def _changes(entry: AuditEntry) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys([*entry.before, *entry.after]):
        after = told(entry.after.get(name))
        change = f"{told(entry.before[name])} → {after}" if name in entry.before else after
        yield printable(name.replace("_", " ")), change


def told(value: Any) -> str:
    """A value of JSON in words; nothing is a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        text = ", ".join(map(str, value))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…")


@register.filter
def subject(entry: AuditEntry) -> SafeString:
    """Its name, with a link where it has a page (it may be gone by now), and its kind below."""
    name = printable(entry.name)
    try:
        address = reverse(PAGES[entry.kind], args=[entry.key])
        link = format_html('<a href="{}">{}</a>', address, name)
    except (KeyError, NoReverseMatch):
        link = format_html("{}", name)
    return format_html('{}<div class="below">{}</div>', link, printable(entry.kind))
