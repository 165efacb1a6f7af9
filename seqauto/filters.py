"""What the lists can be narrowed to. Filters that are set show as chips, each with a link that removes it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet

from .models import AuditEntry, Delivery, Message, Sequencer, SequencingRun
from .models.deliveries import NEEDS_A_PERSON, DeliveryState
from .models.runs import RunState
from .models.scans import Severity
from .templatetags.looks import printable

CONTROL = {"class": "form-control form-control-sm"}
SELECT = {"class": "form-select form-select-sm"}


class Chips(filters.FilterSet):
    """A filter set whose active filters can be listed and removed one by one."""

    def chips(self) -> Iterator[tuple[str, str]]:
        """(what it narrows to, query string without it) for each active filter."""
        for name, field in self.form.fields.items():
            value = self.data.get(name) if self.is_bound else None
            if value and name not in self.form.errors:
                rest = self.data.copy()
                for gone in (name, "page", "older"):
                    rest.pop(gone, None)
                yield f"{field.label}: {_label(field, value)}", rest.urlencode()


def _label(field: forms.Field, value: str) -> str:
    flat: list[tuple[Any, Any]] = []
    for key, label in getattr(field, "choices", ()):
        flat.extend(label if isinstance(label, list | tuple) else [(key, label)])
    return next((str(label) for key, label in flat if str(key) == value), value)


def _choice(label: str, choices: Any, empty: str, **more: Any) -> filters.ChoiceFilter:
    return filters.ChoiceFilter(
        label=label, choices=choices, empty_label=empty, widget=forms.Select(SELECT), **more
    )


def instruments() -> Iterable[tuple[str, Any]]:
    """Every model with its sequencers below it."""
    models: dict[str, list[tuple[str, str]]] = {}
    for sequencer in Sequencer.objects.order_by("model", "serial"):
        models.setdefault(sequencer.model, []).append((f"{sequencer.pk}", printable(sequencer.serial)))
    for model, serials in models.items():
        name = printable(model or "unknown model")
        yield name, [(f"model:{model}", f"every {name}"), *serials] if len(serials) > 1 else serials


def groups() -> list[tuple[str, str]]:
    names = (
        SequencingRun.objects.exclude(group="").order_by("group").values_list("group", flat=True).distinct()
    )
    return [(name, printable(name)) for name in names]


FLAGS = {
    "gold": ("gold standard", Q(is_gold_standard=True, is_hidden=False)),
    "bad": ("bad", Q(is_bad=True, is_hidden=False)),
    "legacy": ("legacy", Q(is_legacy=True, is_hidden=False)),
    "hidden": ("hidden only", Q(is_hidden=True)),
    "all": ("hidden ones too", Q()),
}


class RunFilter(Chips):
    q = filters.CharFilter(
        label="Text",
        method="search",
        widget=forms.TextInput(CONTROL | {"type": "search", "placeholder": "Run, flow cell, experiment"}),
    )
    state = _choice("State", RunState.choices, "any")
    instrument = _choice("Instrument", instruments, "any", method="by_instrument")
    group = _choice("Group", groups, "any")
    after = filters.DateFilter(
        "date", "gte", label="From", widget=forms.DateInput(CONTROL | {"type": "date"}, format="%Y-%m-%d")
    )
    before = filters.DateFilter(
        "date", "lte", label="To", widget=forms.DateInput(CONTROL | {"type": "date"}, format="%Y-%m-%d")
    )
    flag = _choice(
        "Flags", [(key, label) for key, (label, _) in FLAGS.items()], "not hidden", method="by_flag"
    )

    class Meta:
        model = SequencingRun
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[SequencingRun]) -> QuerySet[SequencingRun]:
        if not self.form.cleaned_data.get("flag"):
            queryset = queryset.filter(is_hidden=False)
        if not self.form.cleaned_data.get("state"):  # those of roots scanned no more only where asked for
            queryset = queryset.exclude(state=RunState.NOT_SCANNED)
        return super().filter_queryset(queryset)

    def search(self, queryset: QuerySet[SequencingRun], _name: str, text: str) -> QuerySet[SequencingRun]:
        return queryset.filter(
            Q(name__icontains=text) | Q(flowcell__icontains=text) | Q(experiment__name__icontains=text)
        )

    def by_instrument(
        self, queryset: QuerySet[SequencingRun], _name: str, value: str
    ) -> QuerySet[SequencingRun]:
        kind, colon, model = value.partition(":")
        if colon:
            return queryset.filter(sequencer__model=model)
        return queryset.filter(sequencer_id=kind)

    def by_flag(self, queryset: QuerySet[SequencingRun], _name: str, value: str) -> QuerySet[SequencingRun]:
        return queryset.filter(FLAGS[value][1])


def codes() -> list[tuple[str, str]]:
    names = Message.objects.open().order_by("code").values_list("code", flat=True).distinct()
    return [(name, name.replace("_", " ")) for name in names]


class MessageFilter(Chips):
    severity = _choice("Severity", Severity.choices, "any")
    code = _choice("Kind", codes, "any")
    closed = _choice("Show", [("too", "closed ones too")], "open ones", method="with_closed")

    class Meta:
        model = Message
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Message]) -> QuerySet[Message]:
        if not self.form.cleaned_data.get("closed"):
            queryset = queryset.filter(closed_at=None)
        return super().filter_queryset(queryset)

    def with_closed(self, queryset: QuerySet[Message], _name: str, _value: str) -> QuerySet[Message]:
        return queryset


def incoming_folders() -> list[tuple[str, str]]:
    roots = Delivery.objects.order_by("root").values_list("root", flat=True).distinct()
    return [(root, printable(root)) for root in roots]


class DeliveryFilter(Chips):
    q = filters.CharFilter(
        label="Text",
        method="search",
        widget=forms.TextInput(CONTROL | {"type": "search", "placeholder": "Run, instrument, flow cell"}),
    )
    state = _choice("State", [("person", "needs a person"), *DeliveryState.choices], "any", method="by_state")
    folder = _choice("Incoming folder", incoming_folders, "any", field_name="root")

    class Meta:
        model = Delivery
        fields: list[str] = []

    def search(self, queryset: QuerySet[Delivery], _name: str, text: str) -> QuerySet[Delivery]:
        return queryset.filter(
            Q(name__icontains=text)
            | Q(instrument__icontains=text)
            | Q(model__icontains=text)
            | Q(flowcell__icontains=text)
        )

    def by_state(self, queryset: QuerySet[Delivery], _name: str, value: str) -> QuerySet[Delivery]:
        return queryset.filter(state__in=NEEDS_A_PERSON if value == "person" else [value])


def audited(field: str) -> Callable[[], list[tuple[str, str]]]:
    """The values that the audit knows of a field."""

    def values() -> list[tuple[str, str]]:
        found = AuditEntry.objects.order_by(field).values_list(field, flat=True).distinct()
        return [(value, printable(value)) for value in found]

    return values


class AuditFilter(Chips):
    who = filters.CharFilter(label="Who", lookup_expr="icontains", widget=forms.TextInput(CONTROL))
    action = _choice("Action", audited("action"), "any")
    kind = _choice("Kind", audited("kind"), "any")
    name = filters.CharFilter(
        label="Name",
        lookup_expr="icontains",
        widget=forms.TextInput(CONTROL | {"type": "search", "placeholder": "Run, scan, user"}),
    )
    after = filters.DateFilter(
        "at", "date__gte", label="From", widget=forms.DateInput(CONTROL | {"type": "date"}, format="%Y-%m-%d")
    )
    before = filters.DateFilter(
        "at", "date__lte", label="To", widget=forms.DateInput(CONTROL | {"type": "date"}, format="%Y-%m-%d")
    )

    class Meta:
        model = AuditEntry
        fields: list[str] = []
