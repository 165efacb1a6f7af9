"""Pages of lists too long to count or to skip rows of: each begins at the row where the one before ended.

The address carries that row's place in the order, signed, so that it is what a page of ours once wrote. Rows
that come or go meanwhile shift nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Q, QuerySet
from django.http import HttpRequest

AFTER, BEFORE = "rows_after", "rows_before"
MOST_COUNTED = 10_000
#: Few enough for PostgreSQL to walk an index rather than to sort.
ROWS_READ_AT_ONCE = 2000

#: Fields to sort by, "-" for falling: never NULL, and unique together.
Order = Sequence[str]


@dataclass(frozen=True, slots=True)
class Page:
    """Ids of the rows of a page, in order, and the places where the pages before and after begin."""

    pks: list[int]
    before: str = ""
    after: str = ""

    @property
    def is_all(self) -> bool:
        """Whether there is no other page."""
        return not self.before and not self.after


def asked_order(request: HttpRequest, orders: Mapping[str, Order]) -> tuple[str, Order]:
    """The sorting that the address asks for and that there is, else the first."""
    asked = request.GET.get("sort", "")
    name = asked if asked in orders else next(iter(orders))
    return name, orders[name]


def page_of(request: HttpRequest, rows: QuerySet[Any], order: Order, size: int) -> Page:
    """The page of `rows` that the address asks for; the first where it asks for none that there is."""
    place = _place(request, AFTER, order)
    if place is None and (place := _place(request, BEFORE, order)) is not None:
        return _page_before(rows, order, place, size)
    return _page_after(rows, order, place, size)


def _page_after(rows: QuerySet[Any], order: Order, place: list[Any] | None, size: int) -> Page:
    found = _cut(rows, order, place, size + 1)
    shown = found[:size]
    first = shown[0][1:] if shown else place  # Even an empty page knows where it stands.
    return Page(
        [row[0] for row in shown],
        before=_written(order, first) if place and first else "",
        after=_written(order, shown[-1][1:]) if len(found) > size else "",
    )


def _page_before(rows: QuerySet[Any], order: Order, place: list[Any], size: int) -> Page:
    found = _cut(rows, [_turned(field) for field in order], place, size + 1)
    if len(found) <= size:  # The beginning is near: show it whole.
        return _page_after(rows, order, None, size)
    shown = found[:size][::-1]
    return Page([row[0] for row in shown], _written(order, shown[0][1:]), _written(order, shown[-1][1:]))


def _cut(rows: QuerySet[Any], order: Order, place: list[Any] | None, size: int) -> list[tuple[Any, ...]]:
    """(id, place in the order …) of the rows that follow a place."""
    if place is not None:
        rows = rows.filter(_further(order, place))
    return list(rows.order_by(*order).values_list("pk", *map(_bare, order))[:size])


def _further(order: Order, place: list[Any]) -> Q:
    """Rows that stand behind a place: equal in the first fields, further in the next."""
    further, equal = Q(), Q()
    for field, value in zip(order, place, strict=True):
        further |= equal & Q(**{f"{_bare(field)}__{'lt' if field.startswith('-') else 'gt'}": value})
        equal &= Q(**{_bare(field): value})
    # Says nothing new, but is what lets a database begin at that place of an index.
    first, at_least = order[0], "lte" if order[0].startswith("-") else "gte"
    return Q(**{f"{_bare(first)}__{at_least}": place[0]}) & further


def _bare(field: str) -> str:
    return field.removeprefix("-")


def _turned(field: str) -> str:
    return _bare(field) if field.startswith("-") else f"-{field}"


def _written(order: Order, place: Sequence[Any]) -> str:
    return signing.dumps([*order, *place], salt="place", compress=True)


def _place(request: HttpRequest, name: str, order: Order) -> list[Any] | None:
    """The place that the address names, if it is one of this order."""
    try:
        read = signing.loads(request.GET.get(name, ""), salt="place")
    except signing.BadSignature:
        return None
    return read[len(order) :] if read[: len(order)] == list(order) else None


# ---- what a list holds ----


def counted(rows: QuerySet[Any], page: Page | None = None) -> dict[str, Any]:
    """How many rows there are; beyond 10,000 nobody counts, and `is_more` is true."""
    count = len(page.pks) if page and page.is_all else rows.order_by()[: MOST_COUNTED + 1].count()
    return {"count": min(count, MOST_COUNTED), "is_more": count > MOST_COUNTED}


def walked(rows: QuerySet[Any], order: Order, fields: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """These values of all rows in their order, read part by part: no query stays open for a slow browser."""
    place = None
    while True:
        part = rows if place is None else rows.filter(_further(order, place))
        found = list(part.order_by(*order).values_list(*fields, *map(_bare, order))[:ROWS_READ_AT_ONCE])
        yield from (row[: len(fields)] for row in found)
        if len(found) < ROWS_READ_AT_ONCE:
            return
        place = list(found[-1][len(fields) :])
