"""What the lists of samples and files share: both lie in runs, and are narrowed by what is asked of these."""

from collections.abc import Callable
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import Q, QuerySet

from seqauto.models import SequencingRun

from .parts import Chips, choice, day, picked, text
from .runs import FLAG_CHOICES, FLAGS, groups, instruments, made_by, not_of_runs, of_runs, runs_about

#: Which runs the value of each filter asks for.
ASKED_OF_RUNS: dict[str, Callable[[Any], Q]] = {
    "about": runs_about,
    "instrument": made_by,
    "group": lambda name: Q(group=name),
    "after": lambda first: Q(date__gte=first),
    "before": lambda last: Q(date__lte=last),
    "flag": lambda flag: FLAGS[flag][1],
}


class InRuns(Chips):
    """Rows that lie in runs; what lies in hidden ones only where somebody asks for it."""

    about = text("Run", "Name, flow cell", method="with_its_runs")
    instrument = choice("Instrument", instruments, "any", method="with_its_runs")
    group = choice("Group", groups, "any", method="with_its_runs")
    after = day("From", method="with_its_runs")
    before = day("To", method="with_its_runs")
    flag = choice("Flags", FLAG_CHOICES, "not hidden", method="with_its_runs")
    run = picked("Run", SequencingRun.objects.all())

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """All that is asked of runs is asked at once: they are few, and lead to their rows by an index."""
        rows = super().filter_queryset(queryset)
        if self.form.errors:
            return rows
        run, rows_first = self.way_to_runs()
        if asked := self._asked_of_runs():
            visible = Q() if self.finds_hidden() else Q(is_hidden=False)
            return rows.filter(of_runs(reduce(and_, asked, visible), run, rows_first))
        return rows if self.finds_hidden() else rows.filter(not_of_runs(Q(is_hidden=True), run))

    def is_of_some_runs(self) -> bool:
        """Whether something is asked of runs, so that rows are found by theirs."""
        return bool(self._asked_of_runs())

    def finds_hidden(self) -> bool:
        """Whoever names one thing, by link or path, means it though it is hidden; flags say it themselves."""
        return bool(self.value("flag") or self.value("run")) or self.value("about").startswith("/")

    def way_to_runs(self) -> tuple[str, bool]:
        """How a row calls its run, and whether something else than runs leads to rows."""
        return "run", False

    def with_its_runs(self, queryset: QuerySet[Any], _name: str, _value: Any) -> QuerySet[Any]:
        return queryset

    def _asked_of_runs(self) -> list[Q]:
        values = {name: self.value(name) for name in ASKED_OF_RUNS}
        asked = [ASKED_OF_RUNS[name](value) for name, value in values.items() if value]
        return [which for which in asked if which]
