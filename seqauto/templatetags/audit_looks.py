"""How entries of the audit look to people."""

import json
from collections.abc import Iterator
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from seqauto import dates
from seqauto.models import AuditEntry

from .looks import NOTHING, printable, size

register = template.Library()

#: The page of what an entry tells of, by its kind.
PAGES = {"delivery": "delivery", "sequencingrun": "run", "scan": "scan", "removal": "clean_up_removal"}
LONGEST_VALUE = 200
LONGEST_AT_A_GLANCE = 44


@register.filter
def changes(entry: AuditEntry) -> SafeString:
    """`is held: no → yes`, a line a change; what was not there before is told without a "before".

    Long ones, such as paths, are folded away; what the reason says already is not said again.
    """
    found = [change for change in _changes(entry) if change[1] != printable(entry.reason)]
    short = [change for change in found if len(change[1]) <= LONGEST_AT_A_GLANCE]
    long = [change for change in found if change not in short]
    lines = format_html_join("", "<div>{}: {}</div>", short)
    if not long:
        return lines
    names = ", ".join(name for name, _change in long)
    folded = format_html_join("", '<div class="break">{}: {}</div>', long)
    return format_html('{}<details class="below"><summary>{}</summary>{}</details>', lines, names, folded)


def _changes(entry: AuditEntry) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys([*entry.before, *entry.after]):
        after = _value(name, entry.after.get(name))
        change = f"{_value(name, entry.before[name])} → {after}" if name in entry.before else after
        yield printable(name.replace("_", " ")), change


def _value(name: str, value: Any) -> str:
    return size(value) if name == "bytes" and isinstance(value, int) else told(value)


def told(value: Any) -> str:
    """A value of JSON in words; nothing is a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        text = ", ".join(map(str, value))
    else:
        text = dates.in_words(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
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
