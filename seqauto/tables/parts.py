"""What all tables share: their look, their columns, and how a page of their rows is read."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar, NamedTuple, TypeAlias

import django_tables2 as tables
from django.core.paginator import EmptyPage
from django.db.models import Expression, Model, QuerySet
from django.http import HttpRequest
from django_tables2.data import TableListData, TableQuerysetData

from seqauto.templatetags import looks

ROWS_READ_AT_ONCE = 2000
MOST_PAGES = 1_000_000


class Made(NamedTuple):
    """A value of an export that is made from a field's."""

    field: str
    make: Callable[[Any], object]


#: Where a value of a CSV file comes from: a field of the row by its name, or how it is worked out.
Source: TypeAlias = "str | Expression | Made"


class Column(tables.Column):
    """A column that also says what a CSV file has of it."""

    def __init__(self, *args: Any, values: Mapping[str, Source] | None = None, **kwargs: Any) -> None:
        self.values = values or {}
        super().__init__(*args, **kwargs)


def labelled(label: str) -> dict[str, dict[str, str]]:
    """A column of numbers; on a phone, where rows become cards, each number carries its label."""
    return {"th": {"class": "num"}, "td": {"class": "num", "data-label": label}}


class NumberColumn(Column):
    def __init__(self, label: str, **kwargs: Any) -> None:
        super().__init__(label, attrs=labelled(label), **kwargs)

    def render(self, value: Any) -> str:
        return looks.thousands(value)


class TimeColumn(NumberColumn):
    def render(self, value: Any) -> str:
        return looks.when(value)


class SizeColumn(NumberColumn):
    def render(self, value: Any) -> str:
        return looks.size(value)


class Plain(tables.Table):
    """What all tables share: our own template, text from disks made printable, a dash for nothing."""

    caption = ""
    #: Columns that show where nobody has chosen; the first of them always shows. Empty: nothing to choose.
    usual: ClassVar[tuple[str, ...]] = ()

    class Meta:
        template_name = "parts/table.html"
        attrs = {"class": "table table-hover cards"}
        default = looks.NOTHING

    def drawn_rows(self) -> Iterator[list[tuple[str, Any]]]:
        """(attributes, content) of each cell; attributes are the same down a column, so asked for once."""
        attributes = [(column.name, column.attrs["td"].as_html()) for column in self.columns]
        for row in self.paginated_rows:
            yield [(html, row.get_cell(name)) for name, html in attributes]

    def sorts(self) -> list[tuple[str, str]]:
        """What `sort` in the address can be, and in words, for where the headings do not show."""
        return [
            (f"{sign}{column.name}", f"{column.header}, {way}")
            for column in self.columns
            if column.orderable
            for sign, way in (("", "ascending"), ("-", "descending"))
        ]

    @classmethod
    def choosable(cls) -> dict[str, str]:
        """Name and heading of each column that people may show or hide."""
        return {
            name: str(column.verbose_name)
            for name, column in cls.base_columns.items()
            if getattr(column, "values", None) and name not in cls.usual[:1]
        }

    @classmethod
    def values(cls, columns: Iterable[str]) -> dict[str, Source]:
        """Heading and source of what a CSV file has of these columns."""
        return {
            heading: source for name in columns for heading, source in cls.base_columns[name].values.items()
        }


class InOrder(TableListData):
    """Rows that stand in the order that was asked for already."""

    def order_by(self, aliases: Iterable[str]) -> None:
        pass


def in_order_table(
    table_class: type[Plain], rows: Sequence[Any], sorts: Container[str], sort: str, shown: Container[str]
) -> Plain:
    """A table of rows that stand as `sort` says, with links to the other `sorts`; of the columns `shown`."""
    hidden = [name for name in table_class.base_columns if name not in shown]
    table = table_class(InOrder(list(rows)), exclude=hidden)
    for column in table.columns:
        column.column.orderable = column.name in sorts
    table.order_by = sort
    return table


class Found(TableQuerysetData):
    """Rows of a queryset, found by their ids alone: databases sort narrow rows much faster.

    `load` then reads those of the page, with all that is shown of them.
    """

    data: QuerySet[Any]

    def __init__(self, queryset: QuerySet[Any], load: Callable[[Sequence[int]], Iterable[Model]]) -> None:
        super().__init__(queryset)
        self.load = load

    def __getitem__(self, part: slice) -> list[Model]:
        pks = list(self.data.values_list("pk", flat=True)[part])
        return in_order(pks, self.load(pks))

    def read(self, fields: Sequence[str | Expression]) -> Iterator[Sequence[Any]]:
        """These values of all rows, read some at a time."""
        return self.data.values_list(*fields).iterator(chunk_size=ROWS_READ_AT_ONCE)

    def order_by(self, aliases: Iterable[str]) -> None:
        """As the column says; what is alike stands as it was recorded, newest first, on every page alike."""
        super().order_by(aliases)
        if aliases:
            self.data = self.data.order_by(*self.data.query.order_by, "-pk")


def in_order(pks: Sequence[int], rows: Iterable[Model]) -> list[Model]:
    """The rows of these ids in their order; without those that were removed meanwhile."""
    by_pk = {row.pk: row for row in rows}
    return [by_pk[pk] for pk in pks if pk in by_pk]


def show_page(table: tables.Table, request: HttpRequest, rows: int) -> None:
    """Sort the table as the address asks, and keep the rows of the page that it asks for.

    Behind the last page stands the last one; only then are all rows counted.
    """
    sort_as_asked(table, request)
    try:
        table.paginate(tables.LazyPaginator, rows, _page_in(request))
    except EmptyPage:
        table.page = table.paginator.page(max(1, ceil(len(table.data) / rows)))


def sort_as_asked(table: tables.Table, request: HttpRequest) -> None:
    if asked := request.GET.getlist("sort"):
        table.order_by = asked


def _page_in(request: HttpRequest) -> int:
    """Its number, as far as databases skip; the first for what is no number."""
    text = request.GET.get("page", "")
    return max(1, min(int(text[:9]), MOST_PAGES)) if text.isascii() and text.isdecimal() else 1
