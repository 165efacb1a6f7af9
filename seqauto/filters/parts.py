"""What all filters share. Filters that are set show as chips, each with a link that removes it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

import django_filters as filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import QueryDict

CONTROL = {"class": "form-control form-control-sm"}
TEXT = CONTROL | {"type": "search"}
SELECT = {"class": "form-select form-select-sm"}

#: Of a text: the longest path that a database knows, and short enough for an address.
MOST_CHARACTERS = 1000

#: What an address has besides filters: how the list is shown, and which place of it.
SORT, COLUMNS = "sort", "columns"
PLACES = ("page", "older", "rows_after", "rows_before")


class Chips(filters.FilterSet):
    """A filter set whose active filters can be listed and removed one by one."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What is narrowed to something that is not known (any more) is empty, never a list of all."""
        if self.form.errors:
            return queryset.none()
        narrowed: QuerySet[Any] = super().filter_queryset(queryset)
        return narrowed

    def chips(self) -> Iterator[tuple[str, str]]:
        """(what it narrows to, query string without it) for each active filter."""
        for name, field in self.form.fields.items():
            value = self.data.get(name) if self.is_bound else None
            if value:
                yield f"{field.label}: {self._label(name, field, value)}", self._without(name).urlencode()

    def value(self, name: str) -> Any:
        """What a field is set to; "" where it is set to nothing, or to what it does not take."""
        return "" if name in self.form.errors else self.form.cleaned_data.get(name) or ""

    def is_narrowed(self) -> bool:
        return any(True for _ in self.chips())

    def cleared(self) -> str:
        """The query string of the whole list, shown and sorted as now."""
        return self._without(*self.form.fields).urlencode()

    def sort(self) -> str:
        """How the address asks to sort; a form of filters sends it along, so that the list stays as it is."""
        return self._asked(SORT)

    def columns(self) -> str:
        """Which columns the address asks for; sent along likewise."""
        return self._asked(COLUMNS)

    def _asked(self, name: str) -> str:
        return str(self.data.get(name, "")) if self.is_bound else ""

    def _picked(self) -> list[str]:
        return [name for name, field in self.form.fields.items() if field.widget.is_hidden]

    def _without(self, *names: str) -> QueryDict:
        rest: QueryDict = self.data.copy()
        for gone in (*names, *PLACES):
            rest.pop(gone, None)
        return rest

    def _label(self, name: str, field: forms.Field, value: str) -> str:
        if name in self.form.errors:
            return f"{value}, which is not known (any more)"
        if name in self._picked():
            return str(self.form.cleaned_data[name])
        flat: list[tuple[Any, Any]] = []
        for key, label in getattr(field, "choices", ()):
            flat.extend(label if isinstance(label, list | tuple) else [(key, label)])
        return next((str(label) for key, label in flat if str(key) == value), value)


def choice(label: str, choices: Any, empty: str, **more: Any) -> filters.ChoiceFilter:
    return filters.ChoiceFilter(
        label=label, choices=choices, empty_label=empty, widget=forms.Select(SELECT), **more
    )


class Offering(forms.TextInput):
    """A field for a text that offers some to choose from; the form's template asks for them."""

    def __init__(self, attrs: dict[str, Any], list_id: str, offers: Callable[[], Iterable[str]]) -> None:
        super().__init__(attrs | {"list": list_id})
        self.offers = offers


def text(
    label: str, placeholder: str = "", widget: forms.TextInput | None = None, **more: Any
) -> filters.CharFilter:
    widget = widget or forms.TextInput(TEXT | {"placeholder": placeholder})
    return filters.CharFilter(label=label, widget=widget, max_length=MOST_CHARACTERS, **more)


def day(label: str, field: str | None = None, lookup: str | None = None, **more: Any) -> filters.DateFilter:
    widget = forms.DateInput(CONTROL | {"type": "date"}, format="%Y-%m-%d")
    # Beyond these a day has no beginning in every time zone.
    years = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
    return filters.DateFilter(field, lookup, label=label, widget=widget, validators=years, **more)


def picked(label: str, queryset: QuerySet[Any], **more: Any) -> filters.ModelChoiceFilter:
    """One thing that a link names, such as the sample whose files are listed; no field to fill in."""
    return filters.ModelChoiceFilter(label=label, queryset=queryset, widget=forms.HiddenInput(), **more)
