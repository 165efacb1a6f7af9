"""What the lists of runs, experiments and sequencers can be narrowed to."""

from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from operator import or_
from pathlib import PurePosixPath
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from seqauto.models import Experiment, Sequencer, SequencingRun, SequencingSample
from seqauto.models.distinct import distinct_texts
from seqauto.models.runs import RunState
from seqauto.templatetags.looks import printable

from .parts import Chips, choice, day, picked, text
from .projects import codes_like, project_code

#: So many runs stand in a query one by one; it asks for more by itself.
MOST_NAMED = 500
NEEDS_A_LOOK = (RunState.INCOMPLETE, RunState.ERROR, RunState.DELETED)


def instruments() -> Iterable[tuple[str, Any]]:
    """Every model with its sequencers below it."""
    models: dict[str, list[tuple[str, str]]] = {}
    for sequencer in Sequencer.objects.order_by("model", "serial"):
        models.setdefault(sequencer.model, []).append((f"{sequencer.pk}", printable(sequencer.serial)))
    for model, serials in models.items():
        name = printable(model or "unknown model")
        yield name, [(f"model:{model}", f"every {name}"), *serials] if len(serials) > 1 else serials


def groups() -> list[tuple[str, str]]:
    return [(name, printable(name)) for name in distinct_texts(SequencingRun, "group") if name]


def runs_about(words: str) -> Q:
    """Runs that a text is about: a part of their own names, of their kit or instrument, or a path above or
    inside them.
    """
    if words.startswith("/"):
        path = words.rstrip("/") or "/"
        return Q(path__startswith=path) | Q(path__in=[str(folder) for folder in PurePosixPath(path).parents])
    return runs_named(words) | _holding(words, "group", "sequencer__model", "sequencer__serial")


def runs_named(words: str) -> Q:
    """Runs with this text in their folder's name, flow cell or experiment."""
    return _holding(words, "name", "flowcell", "experiment__name")


def _holding(words: str, *fields: str) -> Q:
    return reduce(or_, (Q(**{f"{field}__icontains": words}) for field in fields))


def sequencers_about(words: str) -> Q:
    return _holding(words, "serial", "model")


def made_by(instrument: str) -> Q:
    """Runs of an instrument by its key, or of all of a model: `model:MiSeq`."""
    key, colon, model = instrument.partition(":")
    return Q(sequencer__model=model) if colon else Q(sequencer=key)


def of_runs(which: Q, run: str = "run", rows_first: bool = False) -> Q:
    """Rows of such runs; `run` is how a row calls its run.

    Runs are few: found first, they lead to their rows by an index. Where they are not so few and something
    else leads to rows, `rows_first` has their runs looked at one by one.
    """
    runs = _found_first(which)
    if rows_first and isinstance(runs, QuerySet):
        return Q(Exists(runs.filter(pk=OuterRef(run))))
    return Q(**{f"{run}__in": runs})


def not_of_runs(which: Q, run: str = "run") -> Q:
    """Rows of other runs than such, which are few; where there are none, nothing is asked of a row."""
    runs = _found_first(which)
    return ~Q(**{f"{run}__in": runs}) if runs else Q()


def _found_first(which: Q) -> list[int] | QuerySet[SequencingRun, int]:
    runs = SequencingRun.objects.order_by().filter(which).values_list("pk", flat=True)
    some = list(runs[: MOST_NAMED + 1])
    return some if len(some) <= MOST_NAMED else runs


FLAGS = {
    "gold": ("gold standard", Q(is_gold_standard=True, is_hidden=False)),
    "bad": ("bad", Q(is_bad=True, is_hidden=False)),
    "legacy": ("legacy", Q(is_legacy=True, is_hidden=False)),
    "hidden": ("hidden only", Q(is_hidden=True)),
    "all": ("hidden ones too", Q()),
}
FLAG_CHOICES = [(flag, label) for flag, (label, _which) in FLAGS.items()]


class RunFilter(Chips):
    q = text("Text", "Run, flow cell, experiment, kit", method="search")
    state = choice("State", [("look", "Needs a look"), *RunState.choices], "any", method="by_state")
    instrument = choice("Instrument", instruments, "any", method="by_instrument")
    group = choice("Group", groups, "any")
    project = project_code(method="by_project")
    after = day("From", "date", "gte")
    before = day("To", "date", "lte")
    flag = choice("Flags", FLAG_CHOICES, "not hidden", method="by_flag")
    experiment = picked("Experiment", Experiment.objects.all())

    class Meta:
        model = SequencingRun
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[SequencingRun]) -> QuerySet[SequencingRun]:
        if not self.form.cleaned_data.get("flag"):
            queryset = queryset.filter(is_hidden=False)
        if not self.form.cleaned_data.get("state"):  # those of roots scanned no more only where asked for
            queryset = queryset.exclude(state=RunState.NOT_SCANNED)
        return super().filter_queryset(queryset)

    def search(self, queryset: QuerySet[SequencingRun], _name: str, value: str) -> QuerySet[SequencingRun]:
        return queryset.filter(runs_about(value))

    def by_state(self, queryset: QuerySet[SequencingRun], _name: str, value: str) -> QuerySet[SequencingRun]:
        return queryset.filter(state__in=NEEDS_A_LOOK if value == "look" else [value])

    def by_instrument(
        self, queryset: QuerySet[SequencingRun], _name: str, value: str
    ) -> QuerySet[SequencingRun]:
        return queryset.filter(made_by(value))

    def by_project(
        self, queryset: QuerySet[SequencingRun], _name: str, value: str
    ) -> QuerySet[SequencingRun]:
        return queryset.filter(
            pk__in=SequencingSample.objects.filter(project__in=codes_like(value)).values("run")
        )

    def by_flag(self, queryset: QuerySet[SequencingRun], _name: str, value: str) -> QuerySet[SequencingRun]:
        return queryset.filter(FLAGS[value][1])


class ExperimentFilter(Chips):
    q = text("Text", "A part of its name", field_name="name", lookup_expr="icontains")

    class Meta:
        model = Experiment
        fields: list[str] = []


class SequencerFilter(Chips):
    q = text("Text", "Serial number or model", method="search")
    model = choice("Model", lambda: models_known(), "any")
    silent = choice(
        "Silent for", [("7", "a week"), ("30", "30 days"), ("365", "a year")], "any time", method="by_silence"
    )

    class Meta:
        model = Sequencer
        fields: list[str] = []

    def search(self, queryset: QuerySet[Sequencer], _name: str, value: str) -> QuerySet[Sequencer]:
        return queryset.filter(sequencers_about(value))

    def by_silence(self, queryset: QuerySet[Sequencer], _name: str, value: str) -> QuerySet[Sequencer]:
        since = timezone.localdate() - timedelta(days=int(value))
        return queryset.filter(Q(last_date__lte=since) | Q(last_date=None))


def models_known() -> list[tuple[str, str]]:
    names = Sequencer.objects.exclude(model="").order_by("model").values_list("model", flat=True).distinct()
    return [(name, printable(name)) for name in names]
