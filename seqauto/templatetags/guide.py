"""What a page says of itself, and where a code is explained."""

import re
from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse

from seqauto.guide import CODES, PAGES

register = template.Library()

_KNOWN = frozenset(code for group in CODES.values() for code in group)
_NUMBERED = re.compile(r"_\d+$")  # a code that counts: submitted_or_not_2


def page_of(address: str) -> str:
    """The name by which the guide knows the page of an address: `run_sheet` is of `run`; "" for none."""
    names = (address, address.removesuffix("_sheet"), address.partition("_")[0])
    return next((name for name in names if name in PAGES), "")


@register.inclusion_tag("parts/about.html", takes_context=True)
def about_this_page(context: RequestContext) -> dict[str, Any]:
    match = getattr(context.get("request"), "resolver_match", None)
    page = page_of((match and match.url_name) or "")
    user = context.get("user")
    return {"about": PAGES.get(page, "") if user and user.is_authenticated else "", "page": page}


@register.filter
def explained_at(code: str) -> str:
    """The address at which a code is explained, "" where it is none of ours."""
    known = _NUMBERED.sub("", code or "")
    return f"{reverse('help_codes')}#{known}" if known in _KNOWN else ""
