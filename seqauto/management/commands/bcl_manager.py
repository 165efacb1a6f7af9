"""Watch an incoming folder and deliver its runs, in the foreground."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from argparse import ArgumentTypeError
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from seqauto import deliveries
from seqauto.delivery_rules import DeliveryRules, amiss_with_folders, real_folder, rules_of_settings
from seqauto.delivery_work import waiting_for_room
from seqauto.log_shipping import ship_log
from seqauto.models import Delivery, DeliveryStep, IncomingFolder
from seqauto.models.deliveries import DeliveryState, StepState

log = logging.getLogger(__name__)

DATABASE_SECONDS = 300  # so long may the database be away, as when its server is started again
LOG_SECONDS = 10  # for the last lines of the delivery log to reach S3
IDLE_SECONDS = 1  # between two looks at what has ended
NOT_DONE_YET = (DeliveryState.SETTLING, DeliveryState.DELIVERING)


class Command(BaseCommand):
    help = (
        "Watch an incoming folder and deliver its runs: settle, back up, convert, upload. Options that are "
        "not given come from the settings. Ctrl-C ends it; what was at work begins again at the next start."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dir", nargs="?", type=_folder, help="The folder that instruments write to.")
        parser.add_argument("--backup-dir", type=_folder, metavar="DIR", help="Where raw runs are backed up.")
        parser.add_argument("--fastq-dir", type=_folder, metavar="DIR", help="Where FASTQs are made.")
        parser.add_argument("--s3-log-bucket", metavar="BUCKET", help="Where the delivery log is copied to.")
        parser.add_argument("--s3-log-key", metavar="KEY", help="Its key there.")
        parser.add_argument("--s3-fastq-bucket", metavar="BUCKET", help="Where FASTQs are uploaded to.")
        parser.add_argument("--s3-fastq-key", metavar="PREFIX", help="What stands before the project there.")
        parser.add_argument("--s3-endpoint-url", metavar="URL", help="An S3-compatible server, not AWS.")
        parser.add_argument(
            "--once",
            action="store_true",
            help="End when only instruments or people are waited for.",
        )
        parser.add_argument(
            "--exit-on-error", action="store_true", help="End with 1 as soon as a step fails."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object at the end.")

    def handle(self, **options: Any) -> None:
        rules = _rules(options)
        if problems := _problems(rules):
            raise CommandError("\n".join(problems))
        signal.signal(signal.SIGTERM, lambda *_args: sys.exit(128 + signal.SIGTERM))
        failed = False
        deliveries.start_working()
        try:
            failed = self._watch(rules, once=options["once"], exit_on_error=options["exit_on_error"])
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=128 + signal.SIGINT) from None
        finally:
            ship_log(rules, patience=LOG_SECONDS)
            if options["json"]:
                self.stdout.write(json.dumps(summarise(rules)))
        if failed or (options["once"] and _amiss(rules)):
            raise CommandError(
                "Failed steps or folders wait for a person, or steps for room: see the page Deliveries."
            )

    def _watch(self, rules: DeliveryRules, *, once: bool, exit_on_error: bool) -> bool:
        """Look, work, look again; say whether it ended because a step failed."""
        at_work: dict[Future[None], int] = {}
        next_look, begun, answered = 0.0, timezone.now(), time.monotonic()
        with ThreadPoolExecutor(rules.parallel, thread_name_prefix="delivery") as pool:
            try:
                while True:
                    try:
                        if is_look := time.monotonic() >= next_look:
                            steps = deliveries.look_after(rules)
                            seconds = rules.settle_seconds if once else _watch_seconds()
                            next_look = time.monotonic() + seconds
                        else:
                            steps = deliveries.next_steps(rules)
                        _hand_out(steps, at_work, pool, rules)
                        if exit_on_error and _failed(rules, begun):
                            return True
                        if once and is_look and not at_work and _is_at_rest(rules, begun):
                            return False
                        answered = time.monotonic()
                    except (InterfaceError, OperationalError) as error:
                        if time.monotonic() - answered > DATABASE_SECONDS:
                            raise
                        log.warning("The database does not answer: %s", error)
                        close_old_connections()
                    time.sleep(min(IDLE_SECONDS, max(0.05, next_look - time.monotonic())))
            finally:
                deliveries.stop_working()
                close_old_connections()


def _hand_out(
    steps: Iterable[int], at_work: dict[Future[None], int], pool: ThreadPoolExecutor, rules: DeliveryRules
) -> None:
    """Begin these steps, and put away those that have ended.

    A step may be queued anew before the thread that gave it back has ended, so only those that still wait for
    a thread are left out.
    """
    not_begun = {step for future, step in at_work.items() if not (future.running() or future.done())}
    for step in set(steps) - not_begun:
        at_work[pool.submit(_work_on, step, rules)] = step
    for done in [future for future in at_work if future.done()]:
        del at_work[done]
        done.result()


def _work_on(step: int, rules: DeliveryRules) -> None:
    try:
        deliveries.work_on(step, rules)
    finally:
        connection.close()


def _watch_seconds() -> int:
    seconds: int = settings.SEQAUTO_WATCH_SECONDS
    return seconds


def _folder(text: str) -> Path:
    if not text.strip():
        raise ArgumentTypeError("the name of a folder is empty: is a variable of the shell not set?")
    return Path(text).expanduser().absolute()


def _rules(options: dict[str, Any]) -> DeliveryRules:
    """The rules of the settings, with what the command line says in their place."""
    rules = rules_of_settings()
    s3 = {
        "bucket": options["s3_fastq_bucket"],
        "prefix": options["s3_fastq_key"],
        "endpoint_url": options["s3_endpoint_url"],
        "log_bucket": options["s3_log_bucket"],
        "log_key": options["s3_log_key"],
    }
    return replace(
        rules,
        incoming=[real_folder(options["dir"])] if options["dir"] else rules.incoming,
        backup_dir=options["backup_dir"] or rules.backup_dir,
        fastq_dir=options["fastq_dir"] or rules.fastq_dir,
        s3=replace(rules.s3, **{name: value for name, value in s3.items() if value is not None}),
    )


def _problems(rules: DeliveryRules) -> list[str]:
    if disabled := deliveries.why_disabled(rules):
        return [disabled]
    missing = {
        "--backup-dir": rules.backup_dir,
        "--fastq-dir": rules.fastq_dir,
        "--s3-fastq-bucket": rules.s3.bucket,
    }
    return [f"{name} is needed." for name, value in missing.items() if not value] + amiss_with_folders(rules)


def _deliveries(rules: DeliveryRules) -> Any:
    return Delivery.objects.under(rules.roots)


def _is_at_rest(rules: DeliveryRules, begun: datetime) -> bool:
    """Whether every folder was looked at since, by whatever process, and nothing is in hand."""
    looked_at = IncomingFolder.objects.filter(path__in=rules.roots, looked_at__gte=begun)
    in_hand = _deliveries(rules).filter(state__in=NOT_DONE_YET)
    is_in_hand = in_hand.exclude(steps__in=waiting_for_room()).exists()
    return looked_at.count() == len(set(rules.roots)) and not is_in_hand


def _failed(rules: DeliveryRules, since: datetime | None = None) -> bool:
    failed = DeliveryStep.objects.filter(delivery__in=_deliveries(rules), state=StepState.FAILED)
    return (failed.filter(ended_at__gte=since) if since else failed).exists()


def _amiss(rules: DeliveryRules) -> bool:
    folders = IncomingFolder.objects.filter(path__in=rules.roots).exclude(error="")
    without_room = waiting_for_room().filter(delivery__in=_deliveries(rules))
    return _failed(rules) or folders.exists() or without_room.exists()


def summarise(rules: DeliveryRules) -> dict[str, Any]:
    """What --json prints: deliveries by state, steps and bytes by kind, and what needs a person."""
    steps = DeliveryStep.objects.filter(delivery__in=_deliveries(rules))
    folders = IncomingFolder.objects.filter(path__in=rules.roots).exclude(error="")
    waiting = _deliveries(rules).needing_a_person().order_by("path")
    return {
        "deliveries": _counts(_deliveries(rules).values_list("state", flat=True)),
        "steps": {
            kind: _counts(steps.filter(kind=kind).values_list("state", flat=True))
            for kind in steps.order_by("kind").values_list("kind", flat=True).distinct()
        },
        "bytes": _counts_of_bytes(steps),
        "problems": [
            *({"run": None, "reason": folder.error, "remedy": folder.remedy} for folder in folders),
            *(
                {"run": one.path, "reason": one.reason, "remedy": one.remedy}
                for one in waiting.order_by("path")
            ),
        ],
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values))


def _counts_of_bytes(steps: Any) -> dict[str, int]:
    """Bytes that finished steps settled, copied, made and uploaded."""
    bytes_of: dict[str, int] = defaultdict(int)
    for kind, size in steps.filter(state=StepState.DONE).values_list("kind", "figures__bytes"):
        bytes_of[kind] += size or 0
    return dict(bytes_of)
