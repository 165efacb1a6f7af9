"""The story of a delivery: a run lands, is backed up, converted, and uploaded to S3; nothing is deleted here.

    settle → back up → convert → upload (→ submit, where something is set to follow)

The database's rows are the truth, the queue only a hint: any step may be killed at any moment and begun
again. A run that fails waits for a person with its reason; the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError

from . import delivery_work, storage
from .delivery_rules import DeliveryRules
from .delivery_work import StepBusy, StepInterrupted, StepProblem, Work
from .incoming import look_at
from .log_shipping import ship_log
from .models.deliveries import DeliveryState
from .settling import look_for_changes
from .steps import STEPS
from .steps.common import step_problems

log = logging.getLogger(__name__)

LOST_MESSAGE_SECONDS = 90  # a step queued for longer is sent again; who claims it first has it


def why_disabled(rules: DeliveryRules) -> str:
    """Say why nothing is delivered here; "" where deliveries may run."""
    if not settings.SEQAUTO_ENABLED:
        return "Deliveries are switched off here: SEQAUTO_ENABLED is false."
    if not settings.UPLOAD_ENABLED:
        return "Deliveries are switched off here: UPLOAD_ENABLED is false."
    return "" if rules.incoming else "No incoming folder is named: set SEQAUTO_INCOMING_DIRS."


def look_after(rules: DeliveryRules) -> list[int]:
    """Find what landed, changed or went; take back what a dead worker left; return the steps to work on."""
    if why_disabled(rules):
        return []
    delivery_work.take_back_abandoned()
    for root in rules.roots:
        look_at(root, rules)
    storage.read_disks(rules)
    ship_log(rules)
    return next_steps(rules)


def next_steps(rules: DeliveryRules) -> list[int]:
    """The steps whose turn has come, by their keys: newly queued ones, and those whose message got lost."""
    if why_disabled(rules):
        return []
    lost = delivery_work.queued_and_forgotten(rules.roots, LOST_MESSAGE_SECONDS)
    room = storage.room_now(rules)
    return lost + delivery_work.queue_next(
        rules.roots, rules.parallel, newest_first=rules.newest_first, why_not=room.take
    )


def work_on(step_id: int, rules: DeliveryRules, on_end: Callable[[], None] = lambda: None) -> bool:
    """Do one step, if nobody else has it; False where somebody has.

    Whatever goes wrong is written on the step while the database can be reached. `on_end` is called when the
    step has ended, so that the next ones are sent.
    """
    work = delivery_work.begin(step_id)
    if work is None:
        log.info("Step %s is in other hands, or no longer queued.", step_id)
        return False
    with work.kept_alive():
        _do(work, rules)
    if work.delivery.state == DeliveryState.DELIVERED:
        _note_free_space(work, rules)
    on_end()
    return True


def _do(work: Work, rules: DeliveryRules) -> None:
    try:
        figures = STEPS[work.step.kind](work, rules)
        with step_problems():  # a disk may fail here too
            look_for_changes(work.delivery)  # of files that changed since the run settled nothing is done
        work.finish(figures, figures.pop("log", ""))
    except StepProblem as problem:
        if problem.code == "no_space" and storage.lacks_room(work.step, rules):
            work.give_back(f"{problem} It waits for room")
        else:
            work.fail(problem)
    except StepBusy as busy:
        log.warning("%s: %s", work.step, busy)
        work.wait_while_busy()
        work.give_back()
    except StepInterrupted as interruption:
        log.warning("%s: %s", work.step, interruption)
        work.give_back()
    except (InterfaceError, OperationalError):
        log.exception("%s lost the database.", work.step)
        work.give_back()  # what it made is found by the next try
    except Exception as error:
        log.exception("%s failed.", work.step)
        work.fail_unexpectedly(error)
    except BaseException:  # a person's Ctrl-C, or the end of a worker
        work.give_back()
        raise


def _note_free_space(work: Work, rules: DeliveryRules) -> None:
    try:
        storage.read_disks_after(work.delivery, rules)
    except (InterfaceError, OperationalError):  # it is written at the next look
        log.exception("The free space after %s was not written down.", work.delivery)


def start_working() -> None:
    delivery_work.STOPPING.event.clear()


def stop_working() -> None:
    """Let the steps of this process stop where they are; they begin again elsewhere, or at the next start."""
    delivery_work.STOPPING.event.set()
