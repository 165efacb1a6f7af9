"""Who works on a step: claimed by one conditional update, kept by a lease, ended in one transaction.

A worker that dies leaves a lease that expires; the step then waits again. Times are the database's own.
"""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from .delivery_log import log, note
from .delivery_states import refresh_state
from .lease import heartbeat, process_name
from .models import Delivery, DeliveryStep
from .models.deliveries import StepState

MOST_DEATHS = 3  # a step that kills its worker so often in a row waits for a person
PROGRESS_SECONDS = 1
STILL_SECONDS = 30 * 60  # a step that asks nothing and tells nothing for so long hangs: its lease ends
BUSY_SECONDS = 20  # before a step begins again whose place another process still holds


class _Stopping:
    """Whether this process is asked to end, so that its steps stop where they are.

    A worker of Celery puts an event here that it shares with its children.
    """

    event: Any = threading.Event()


STOPPING = _Stopping()


class StepProblem(Exception):
    """A step that could not be done, for a reason that a person can mend; `code` names it for an override."""

    def __init__(
        self,
        code: str,
        sentence: str,
        remedy: str,
        *,
        problems: Sequence[Mapping[str, Any]] = (),
        log: str = "",
    ) -> None:
        super().__init__(sentence)
        self.code, self.remedy, self.problems, self.log = code, remedy, list(problems), log


class StepInterrupted(Exception):
    """The step is no longer ours, or was asked to stop: leave everything as it is."""


class StepBusy(StepInterrupted):
    """Another process still works at the same place, most likely a worker that lost its lease."""


class Work:
    """A step in hand. Every write of it is refused once the lease is lost."""

    def __init__(self, step: DeliveryStep) -> None:
        self.step, self.delivery = step, step.delivery
        self.seen, self.path = self.delivery.listing, self.delivery.path  # where and as it was begun
        self._lost, self._sign = threading.Event(), time.monotonic()
        self._written, self._so_far = 0.0, dict[str, object]()

    def must_stop(self) -> bool:
        """Whether to stop; asked every few seconds, it is the step's sign of life."""
        self._sign = time.monotonic()
        return self._lost.is_set() or bool(STOPPING.event.is_set())

    def wait_while_busy(self) -> None:
        self.say("Waits for another process to leave its place")
        until = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < until and not self.must_stop():
            time.sleep(0.2)

    def say(self, doing: str) -> None:
        """Tell in words what is being done."""
        self._show(doing=doing[:200])

    def progress(self, bytes_done: int, bytes_total: int | None = None, share: float | None = None) -> None:
        """Tell how far it has come; written about once a second."""
        self._so_far = {"bytes_done": bytes_done, "bytes_total": bytes_total, "share_done": share}
        if time.monotonic() - self._written >= PROGRESS_SECONDS:
            self._written = time.monotonic()
            self._show(**self._so_far)

    def _show(self, **values: object) -> None:
        with suppress(Error):  # a database that is away for a while need not end hours of work
            _drop_dead_connection()
            self._update(**values)

    def _update(self, **values: object) -> None:
        if not self._mine().update(**values):
            self._lost.set()

    def _mine(self) -> Any:
        return DeliveryStep.objects.filter(pk=self.step.pk, state=StepState.RUNNING, token=self.step.token)

    def kept_alive(self) -> AbstractContextManager[None]:
        """Renew the lease in the background until the block ends."""
        return heartbeat(self._renew, settings.SEQAUTO_HEARTBEAT_SECONDS)

    def _renew(self) -> None:
        if time.monotonic() - self._sign < STILL_SECONDS:
            self._update(lease_until=_expiry())

    # ---- the end ----

    def finish(self, figures: Mapping[str, Any], log_file: str = "") -> None:
        values = {"figures": dict(figures), "problems": [], "code": "", "error": "", "remedy": ""}
        self._end(StepState.DONE, "Done", **values, traceback="", deaths=0, log=log_file)

    def fail(self, problem: StepProblem) -> None:
        self._end(
            StepState.FAILED,
            f"Failed. {problem}",
            code=problem.code,
            error=str(problem),
            remedy=problem.remedy,
            problems=problem.problems,
            traceback="",
            log=problem.log,
            deaths=0,
        )

    def fail_unexpectedly(self, error: Exception) -> None:
        self._end(
            StepState.FAILED,
            f"Failed. {type(error).__name__}: {error}",
            code="unexpected",
            error=f"{type(error).__name__}: {error}",
            remedy="Retry. If it comes back, report it with the stack trace below.",
            traceback=traceback.format_exc(),
            problems=[],
            log="",
        )

    def give_back(self, text: str = "Interrupted: it begins again") -> None:
        """Let another worker begin it again."""
        self._end(StepState.WAITING, text)

    def _end(self, state: StepState, text: str, **values: object) -> None:
        """End it, as far as it is ours still.

        Of a run that changed under it nothing was done or failed; of one that was moved nothing failed.
        """
        _drop_dead_connection()
        with transaction.atomic():
            if self._mine().select_for_update().first() is None:
                log.warning(
                    "%s was taken over by another worker; what this one did is not recorded.", self.step
                )
                return
            self.delivery.refresh_from_db(fields=["listing", "path"])
            has_changed = self.delivery.listing != self.seen
            has_moved = self.delivery.path != self.path
            if (has_changed and state != StepState.WAITING) or (has_moved and state == StepState.FAILED):
                what = "Files of the run changed" if has_changed else "The run was moved"
                state, text, values = StepState.WAITING, f"{what} meanwhile: it begins again", {}
            self._mine().update(
                state=state,
                ended_at=timezone.now(),
                token=None,
                lease_until=None,
                doing="",
                **self._so_far,
                **values,
            )
            note(self.delivery, f"{self.step.get_kind_display()}: {text}", step=self.step.kind)
            refresh_state(self.delivery)


def begin(step_id: int) -> Work | None:
    """Turn Queued to Running; None where another worker has it, or it is no longer its turn."""
    token = uuid.uuid4()
    its_turn = Delivery.objects.filter(is_held=False, gone_at=None)
    mine = DeliveryStep.objects.filter(pk=step_id, state=StepState.QUEUED, delivery__in=its_turn).update(
        state=StepState.RUNNING,
        token=token,
        lease_until=_expiry(),
        worker=process_name(),
        attempts=F("attempts") + 1,
        started_at=timezone.now(),
        ended_at=None,
        bytes_done=0,
        bytes_total=None,
        share_done=None,
        doing="",
    )
    return Work(DeliveryStep.objects.select_related("delivery").get(pk=step_id)) if mine else None


def take_back_abandoned() -> int:
    """Let steps wait again whose worker gives no sign of life; return how many."""
    taken = 0
    for step in DeliveryStep.objects.filter(state=StepState.RUNNING, lease_until__lt=Now()):
        with transaction.atomic():
            gone = DeliveryStep.objects.filter(
                pk=step.pk, state=StepState.RUNNING, token=step.token, lease_until__lt=Now()
            )
            is_poison = step.deaths + 1 >= MOST_DEATHS
            values: dict[str, Any] = {"state": StepState.WAITING}
            if is_poison:
                values = {
                    "state": StepState.FAILED,
                    "code": "worker_died",
                    "log": "",
                    "error": f"The worker died {MOST_DEATHS} times at this step, at last on {step.worker}.",
                    "remedy": "Look at the machine's memory and log (dmesg), then retry.",
                }
            if gone.update(**values, deaths=F("deaths") + 1, token=None, lease_until=None, doing=""):
                note(
                    step.delivery,
                    f"{step.get_kind_display()}: its worker ({step.worker}) died",
                    step=step.kind,
                )
                refresh_state(step.delivery)
                taken += 1
    return taken


def queue_next(
    roots: Sequence[str],
    parallel: int,
    *,
    newest_first: bool = False,
    why_not: Callable[[DeliveryStep], str] = lambda step: "",
) -> list[int]:
    """Turn the next waiting steps to Queued, as many as may work at once; return their keys.

    A step's turn comes when those before it are done and nobody holds its delivery. One that `why_not` gives
    a reason for waits, says so, and lets others pass.
    """
    with transaction.atomic():
        open_steps = (
            DeliveryStep.objects.select_for_update(of=("self",))
            .exclude(state=StepState.DONE)
            .filter(delivery__root__in=roots)
            .select_related("delivery")
            .order_by("pk")
        )
        first_open: dict[int, DeliveryStep] = {}
        busy = 0
        for step in open_steps:
            busy += step.state in (StepState.QUEUED, StepState.RUNNING)
            first = first_open.setdefault(step.delivery_id, step)
            if step.place < first.place:
                first_open[step.delivery_id] = step
        ready = [step for step in first_open.values() if _is_ready(step)]
        ready.sort(key=lambda step: step.delivery.complete_at or step.delivery.found_at, reverse=newest_first)
        chosen = _choose(ready, parallel - busy, why_not)
        DeliveryStep.objects.filter(pk__in=chosen).update(
            state=StepState.QUEUED, queued_at=timezone.now(), doing=""
        )
    return chosen


def _choose(ready: Iterable[DeliveryStep], most: int, why_not: Callable[[DeliveryStep], str]) -> list[int]:
    chosen: list[int] = []
    for step in ready:
        if len(chosen) >= most:
            break
        if why := why_not(step):
            _let_wait(step, why)
            continue
        chosen.append(step.pk)
        if step.doing:
            Delivery.objects.filter(pk=step.delivery_id).update(reason="", remedy="")
    return chosen


def _let_wait(step: DeliveryStep, why: str) -> None:
    """Say on a step and its delivery what it waits for; nothing where that is said already."""
    reason = f"{step.get_kind_display()}: {why}."
    if (step.doing, step.delivery.reason) == (why[:200], reason):
        return
    if not step.doing:
        note(step.delivery, f"{step.get_kind_display()}: {why}", step=step.kind)
    DeliveryStep.objects.filter(pk=step.pk).update(doing=why[:200])
    Delivery.objects.filter(pk=step.delivery_id).update(reason=reason, remedy=_GOES_ON)


_GOES_ON = "It goes on by itself when there is room: remove what is not needed, or enlarge the disk."


def waiting_for_room() -> QuerySet[DeliveryStep]:
    """The steps that wait for room: only these say what they do while they wait."""
    return DeliveryStep.objects.filter(state=StepState.WAITING).exclude(doing="")


def _is_ready(step: DeliveryStep) -> bool:
    return step.state == StepState.WAITING and step.delivery.state == Delivery.State.DELIVERING


def queued_and_forgotten(roots: Sequence[str], seconds: float) -> list[int]:
    """Steps that have been queued for so long that their message must be lost."""
    late = Q(queued_at__lt=timezone.now() - timedelta(seconds=seconds))
    return list(
        DeliveryStep.objects.filter(late, state=StepState.QUEUED, delivery__root__in=roots).values_list(
            "pk", flat=True
        )
    )


def _drop_dead_connection() -> None:
    """The database may have been restarted since it was last asked; a transaction must not be cut."""
    if not connection.in_atomic_block:
        close_old_connections()


def _expiry() -> Any:
    return Now() + timedelta(seconds=settings.SEQAUTO_LEASE_SECONDS)
