"""What the lists of messages, deliveries and audit entries can be narrowed to."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from seqauto.models import AuditEntry, Delivery, Message, SequencingRun
from seqauto.models.deliveries import NEEDS_A_PERSON, DeliveryState
from seqauto.models.distinct import distinct_texts
from seqauto.models.scans import Severity
from seqauto.templatetags.looks import printable

from .parts import Chips, choice, day, picked, text
from .runs import of_runs, runs_about


def codes() -> list[tuple[str, str]]:
    names = Message.objects.open().order_by("code").values_list("code", flat=True).distinct()
    return [(name, name.replace("_", " ")) for name in names]


class MessageFilter(Chips):
    q = text("Text", "Words, file, run", method="search")
    severity = choice("Severity", Severity.choices, "any")
    code = choice("Kind", codes, "any")
    closed = choice("Show", [("too", "closed ones too")], "open ones", method="with_closed")
    run = picked("Run", SequencingRun.objects.all())

    class Meta:
        model = Message
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Message]) -> QuerySet[Message]:
        if not self.form.cleaned_data.get("closed"):
            queryset = queryset.filter(closed_at=None)
        return super().filter_queryset(queryset)

    def search(self, queryset: QuerySet[Message], _name: str, value: str) -> QuerySet[Message]:
        return queryset.filter(
            Q(text__icontains=value) | Q(place__icontains=value) | of_runs(runs_about(value))
        )

    def with_closed(self, queryset: QuerySet[Message], _name: str, _value: str) -> QuerySet[Message]:
        return queryset


def incoming_folders() -> list[tuple[str, str]]:
    roots = Delivery.objects.order_by("root").values_list("root", flat=True).distinct()
    return [(root, printable(root)) for root in roots]


class DeliveryFilter(Chips):
    q = text("Text", "Run, instrument, flow cell", method="search")
    state = choice("State", [("person", "needs a person"), *DeliveryState.choices], "any", method="by_state")
    folder = choice("Incoming folder", incoming_folders, "any", field_name="root")

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
    return lambda: [(value, printable(value)) for value in distinct_texts(AuditEntry, field)]


class AuditFilter(Chips):
    who = text("Who", lookup_expr="icontains")
    action = choice("Action", audited("action"), "any")
    kind = choice("Kind", audited("kind"), "any")
    name = text("Name", "Run, scan, user", lookup_expr="icontains")
    after = day("From", method="since")
    before = day("To", method="until")

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def since(self, queryset: QuerySet[AuditEntry], _name: str, value: date) -> QuerySet[AuditEntry]:
        return queryset.filter(at__gte=beginning(value))

    def until(self, queryset: QuerySet[AuditEntry], _name: str, value: date) -> QuerySet[AuditEntry]:
        return queryset.filter(at__lt=beginning(value + timedelta(days=1)))


def beginning(value: date) -> datetime:
    """The first moment of a day in the lab's zone."""
    return timezone.make_aware(datetime.combine(value, time.min))
