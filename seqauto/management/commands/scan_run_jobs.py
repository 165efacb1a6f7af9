"""Scan the archive disks now, in the foreground."""

from __future__ import annotations

import json
import signal
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from django.db.models.functions import Now

from seqauto import lease, scans
from seqauto.models import Message, Scan
from seqauto.models.scans import ScanSource, ScanStatus
from sequencing.layout import FILE_TYPES

WAIT_SECONDS = 1
BAR_WIDTH = 30


class Command(BaseCommand):
    help = "Scan the archive disks now, in the foreground. Ends with 1 where the scan ends in Error."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reuse-prev-scan-id",
            type=int,
            metavar="N",
            help="Go straight to Create Models, from the file lists of SeqAuto Run N.",
        )
        parser.add_argument(
            "--process-types",
            type=_file_types,
            metavar="TYPE[,TYPE]",
            help=f"Record only files of these types ({', '.join(FILE_TYPES)}).",
        )
        parser.add_argument("--wait", action="store_true", help="Wait while another scan is running.")
        parser.add_argument(
            "--accept-missing",
            action="store_true",
            help="Believe it when a disk has lost most of its files, and record them as deleted.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object at the end.")

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_args: sys.exit(128 + signal.SIGTERM))
        scan = self._create(options)
        try:
            while not scans.run_scan(scan, self._watch()):
                self._await_turn(scan, wait=options["wait"])
        except KeyboardInterrupt:
            raise CommandError(f"{scan} was interrupted.", returncode=128 + signal.SIGINT) from None
        finally:
            Scan.objects.waiting().filter(pk=scan.pk, is_running=False).delete()
        self._report(scan, as_json=options["json"])
        if scan.status == ScanStatus.ERROR:
            raise CommandError(f"{scan} ended in Error: {scan.error}\n{scan.remedy}")

    def _create(self, options: dict[str, Any]) -> Scan:
        scans.fail_abandoned_scans()
        reused = None
        if (number := options["reuse_prev_scan_id"]) is not None:
            reused = Scan.objects.filter(pk=number).first()
            if reused is None:
                raise CommandError(f"There is no SeqAuto Run {number}.")
        chosen = {name: options[name] for name in ("process_types", "accept_missing") if options[name]}
        try:
            return scans.create_scan(ScanSource.COMMAND_LINE, options=chosen, reused_scan=reused)
        except scans.ScanProblem as problem:
            raise CommandError(f"{problem} {problem.remedy}") from problem

    def _await_turn(self, scan: Scan, *, wait: bool) -> None:
        holder = lease.holder() or "another scan"
        if not wait:
            raise CommandError(f"{holder} is running. Add --wait to scan when it has ended.")
        if not Scan.objects.filter(pk=scan.pk, status=ScanStatus.CREATED).update(progress_at=Now()):
            raise CommandError(f"{scan} waits no more: it was ended or deleted meanwhile.")
        self.stderr.write(f"Waiting: {holder} is running.")
        time.sleep(WAIT_SECONDS)
        scans.fail_abandoned_scans()

    def _watch(self) -> Callable[[Scan], None]:
        return self._draw_bar if self.stderr.isatty() else self._write_line

    def _draw_bar(self, scan: Scan) -> None:
        share = scan.runs_done / scan.runs_total if scan.runs_total else 0
        bar = ("#" * round(BAR_WIDTH * share)).ljust(BAR_WIDTH, "·") if scan.runs_total else "walking"
        end = "\n" if scan.runs_done == scan.runs_total else ""
        self.stderr.write(f"\r\033[K{bar} {_progress(scan)}", ending=end)
        self.stderr.flush()

    def _write_line(self, scan: Scan) -> None:
        self.stderr.write(_progress(scan))

    def _report(self, scan: Scan, *, as_json: bool) -> None:
        scan.refresh_from_db()
        summary = summarise(scan)
        if as_json:
            self.stdout.write(json.dumps(summary))
            return
        runs, severities = summary["runs"], summary["messages"]
        self.stdout.write(
            f"{scan}: {scan.get_status_display()}. {_count(runs['found'], 'run')}, "
            f"{runs['changed']:,} new or changed; "
            f"files +{scan.files_appeared:,} −{scan.files_vanished:,} ~{scan.files_changed:,}; "
            f"open: {_count(severities['error'], 'error')}, {_count(severities['warning'], 'warning')}."
        )


def _file_types(text: str) -> list[str]:
    types = text.split(",")
    if unknown := [name for name in types if name not in FILE_TYPES]:
        raise ArgumentTypeError(f"{unknown[0]!r} is no file type; known are {', '.join(FILE_TYPES)}.")
    return types


def _progress(scan: Scan) -> str:
    runs = _count(scan.runs_done, "run")
    if scan.runs_total is not None:
        runs = f"{scan.runs_done:,} of {_count(scan.runs_total, 'run')}"
    return f"{scan.get_status_display()}: {runs}, {_count(scan.files_seen, 'file')}"


def _count(number: int | None, word: str) -> str:
    return f"{number or 0:,} {word}{'' if number == 1 else 's'}"


def summarise(scan: Scan) -> dict[str, Any]:
    """What --json prints of a scan."""
    severities = {"error": 0, "warning": 0, "info": 0}
    open_messages = Message.objects.open().values_list("severity").annotate(Count("pk")).order_by()
    return {
        "scan_id": scan.pk,
        "status": scan.status,
        "seconds": {stage: round(length.total_seconds(), 3) for stage, length in scan.stage_times.items()},
        "runs": {"found": scan.runs_found, "changed": scan.runs_changed, "skipped": scan.runs_skipped},
        "files": scan.files_by_state or {},
        "changes": {
            "appeared": scan.files_appeared,
            "vanished": scan.files_vanished,
            "changed": scan.files_changed,
        },
        "messages": {**severities, **dict(open_messages)},
        "error": scan.error,
        "remedy": scan.remedy,
    }
