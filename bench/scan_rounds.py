"""The rounds of `bench.scan` on one database: first scan, rescans, one new run. Prints `Line`s as JSON."""

import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django

django.setup()
logging.disable(logging.INFO)  # five hundred lines of progress say nothing here

from django.core.management import call_command  # noqa: E402  Django must be set up first
from django.db import connection  # noqa: E402

from bench.archive import runs_in, write_archive  # noqa: E402
from bench.report import Line  # noqa: E402
from seqauto import scans  # noqa: E402
from seqauto.models import SampleSheet, Scan, SequencingFile, SequencingRun, SequencingSample  # noqa: E402
from seqauto.models.scans import ScanSource, ScanStatus  # noqa: E402

ROUNDS = 5
ROWS = (SequencingRun, SampleSheet, SequencingSample, SequencingFile)


def main(archive: Path, samples: int) -> None:
    call_command("migrate", verbosity=0)
    for line in _first_scan():
        print(line.write())
    finds, rescans, walks, new_runs = [], [], [], []
    for _round in range(ROUNDS):
        finds.append(_find(archive))
        scan = _scan()
        walks.append(_seconds(scan, ScanStatus.SCANNING_FILES))
        rescans.append(_total(scan))
        write_archive(archive, 1, samples, first=runs_in(archive) + 1)
        new_runs.append(_total(_scan()))
    find = statistics.median(finds)
    walk, rescan, new_run = map(statistics.median, (walks, rescans, new_runs))
    seconds = f"find {find:.3f} s"
    for line in (
        Line("Scanning Files / find", walk / find, "×", 1.5, f"{walk:.3f} s, {seconds}"),
        Line("unchanged rescan, both stages / find", rescan / find, "×", 1.5, f"{rescan:.3f} s"),
        Line("one new run", new_run, "s", 1.6 * find + 1, "target: 1.6 × find + 1 s"),
    ):
        print(line.write())


def _first_scan() -> list[Line]:
    before = _server_cpu()
    scan = Scan()
    client = _cpu_of(lambda: scan.__dict__.update(_scan().__dict__))
    server = _server_cpu() - before
    rows = sum(model.objects.count() for model in ROWS)
    target = 15_000 if connection.vendor == "postgresql" else 25_000
    detail = f"{rows:,} rows; client {client:.1f} s, server {server:.1f} s of CPU"
    return [
        Line(
            "first scan, both stages",
            rows / (client + server),
            "rows/CPU-s",
            target,
            detail,
            True,
        )
    ]


def _cpu_of(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _server_cpu() -> float:
    """CPU seconds of the PostgreSQL process that serves us; 0 where it is elsewhere, and on SQLite."""
    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _find(archive: Path) -> float:
    """Seconds of a find that writes its list to a file, as a scan does."""
    start = time.perf_counter()
    with archive.with_name("find.tsv").open("wb") as text:
        subprocess.run(["find", archive, "-printf", r"%p\t%s\t%T@\n"], check=True, stdout=text)
    return time.perf_counter() - start


def _scan() -> Scan:
    scan = scans.create_scan(ScanSource.COMMAND_LINE)
    scans.run_scan(scan)
    scan.refresh_from_db()
    if scan.status != ScanStatus.FINISHED:
        sys.exit(f"The scan failed: {scan.error}\n{scan.traceback}")
    return scan


def _seconds(scan: Scan, stage: ScanStatus) -> float:
    return scan.stage_times[stage.label].total_seconds()


def _total(scan: Scan) -> float:
    return sum(length.total_seconds() for length in scan.stage_times.values())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
