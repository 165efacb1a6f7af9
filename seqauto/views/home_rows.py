"""The latest runs, as the page Today lists them: a row a run, whoever knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from seqauto import today
from seqauto.models import Delivery, SequencingRun
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.templatetags import looks
from seqauto.templatetags.delivery_looks import busy_step, delivery_state
from seqauto.today_runs import TROUBLED

if TYPE_CHECKING:
    from seqauto.today_runs import ToldRun

DOING = {
    StepKind.SETTLE: "settling",
    StepKind.BACK_UP: "backing up",
    StepKind.CONVERT: "converting",
    StepKind.UPLOAD: "uploading",
    StepKind.SUBMIT: "submitting",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A run as scans know it, as its delivery knows it, or both; `of` is whose page tells more."""

    of: SequencingRun | Delivery
    run: ToldRun | None
    delivery: Delivery | None
    day: date

    @property
    def title(self) -> str:
        """The experiment, where it is known, else the folder's name."""
        return (self.run and self.run.experiment_name) or self.name

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def model(self) -> str:
        of_run = (self.run.model or self.run.serial) if self.run else ""
        of_delivery = (self.delivery.model or self.delivery.instrument) if self.delivery else ""
        return of_run or of_delivery or ""

    @property
    def state(self) -> looks.State:
        delivery = self.delivery
        if delivery and delivery.state in (DeliveryState.SEQUENCING, DeliveryState.STALLED):
            state = delivery_state(delivery)
            return looks.State(f"{state.word}{_cycles(delivery)}", state.look)
        return looks.run_state(self.run) if self.run else looks.State("Not scanned yet", "idle")

    @property
    def reason(self) -> str:
        return self.run.state_reason if self.run and self.run.state in TROUBLED else ""

    @property
    def delivery_state(self) -> looks.State | None:
        if self.delivery is None:
            return None
        if self.delivery.state == DeliveryState.SEQUENCING:
            return looks.State("Waits for the run to end", "idle")
        return _doing(self.delivery) or delivery_state(self.delivery)


def _cycles(delivery: Delivery) -> str:
    total = delivery.cycles_total
    return f", cycle {min(delivery.cycles or 0, total):,} of {total:,}" if total else ""


def _doing(delivery: Delivery) -> looks.State | None:
    """`Backing up`; None where no step is at work."""
    step = busy_step(delivery)
    if step is None:
        return None
    if step.state == StepState.QUEUED:
        return looks.State(f"{step.get_kind_display()} waits its turn", "wait")
    return looks.State(DOING[StepKind(step.kind)].capitalize(), "run")


def latest_rows(runs: Sequence[ToldRun], deliveries: today.Deliveries, now: datetime) -> list[Row]:
    """The newest first, each run once."""
    delivery_of = {one.identity: one for one in deliveries.of_runs}
    rows = [Row(run, run, delivery_of.get(run.identity or ""), run.day) for run in runs]
    rows += [Row(delivery, None, delivery, _day(delivery, now)) for delivery in deliveries.not_scanned]
    return sorted(rows, key=lambda row: (row.day, row.name), reverse=True)[: today.RUNS_SHOWN]


def _day(delivery: Delivery, now: datetime) -> date:
    """As of runs: a day that nobody can believe counts as none."""
    is_true = delivery.date and delivery.date <= timezone.localtime(now).date() + timedelta(days=1)
    return delivery.date if delivery.date and is_true else timezone.localtime(delivery.found_at).date()
