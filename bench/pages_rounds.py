"""The visits of `bench.pages` to one database: `fill RUNS` makes its rows, `ask` measures every page."""

from __future__ import annotations

import argparse
import gzip
import html
import logging
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import django

django.setup()
logging.disable(logging.WARNING)

from django.conf import settings  # noqa: E402  Django must be set up first
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.staticfiles import finders  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.pages_rows import counts, tidy, write_rows  # noqa: E402
from bench.pages_visits import forgotten, subjects, visits  # noqa: E402
from bench.report import Line, show  # noqa: E402
from seqauto import scan_lists  # noqa: E402
from seqauto.models import DeliveryStep  # noqa: E402

ROUNDS = 3
MOST_MS, MOST_QUERIES, MOST_FIRST_PAINT = 100, 15, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("fill", "ask"))
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--sql", action="store_true")
    options = parser.parse_args()
    if options.what == "fill":
        call_command("migrate", verbosity=0)
        write_rows(options.runs, timezone.now())
        tidy()
        return
    call_command("migrate", verbosity=0)
    User.objects.filter(username="bench").exists() or User.objects.create_superuser("bench")
    print(f"{connection.display_name}: {counts()}", flush=True)
    ask(options.only, options.sql)


@dataclass
class Answer:
    """What one page cost; `server_ms` is PostgreSQL's part of `ms`, `statements` are (ms, SQL)."""

    name: str
    address: str
    status: int
    ms: float
    server_ms: float
    bytes: int
    statements: list[tuple[float, str]] = field(default_factory=list)
    next_page: str = ""
    """Where a list goes on that counts no pages."""

    @property
    def is_closed(self) -> bool:
        """Most models are only shown in the admin."""
        return self.status == 403 and self.name.startswith("admin:")

    @property
    def marks(self) -> str:
        """What is amiss with it, in words."""
        return ", ".join(
            word
            for word, is_so in (
                (f"answers {self.status}", self.status not in (200, 302)),
                ("SLOW", self.ms > MOST_MS),
                ("QUERIES", len(self.statements) > MOST_QUERIES),
            )
            if is_so
        )

    def __str__(self) -> str:
        figures = (
            f"{len(self.statements):>3} {self.ms:>7.1f} {self.server_ms:>7.1f} {self.bytes / 1000:>7.1f}"
        )
        return f"{figures}  {self.address[:100]:<70} {self.marks}".rstrip()


def ask(only: list[str], with_sql: bool) -> None:
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    client.force_login(User.objects.get(username="bench"))
    if pages := forgotten(client):
        sys.exit(f"Say in bench/pages_visits.py how people ask for: {', '.join(pages)}")
    about = subjects()
    _write_files(about)
    print(f"{'queries':>7} {'ms':>3} {'server':>7} {'kB':>7}  address")
    answers = []
    for name, address in visits(about):
        if only and not any(name == one or address.startswith(one) for one in only):
            continue
        answer = _measured(client, name, address, with_sql)
        answers.append(answer)
        if answer.next_page:
            answers.append(_measured(client, name, answer.next_page, with_sql))
    answers = [one for one in answers if not one.is_closed]
    if answers:
        show(f"Pages, {connection.display_name}", [*_lines(answers), *_first_paint(client, "/")])


def _measured(client: Client, name: str, address: str, with_sql: bool) -> Answer:
    answer = _median_answer(client, name, address)
    if not answer.is_closed:
        print(answer, flush=True)
        if with_sql and answer.marks:
            _show_statements(answer)
    return answer


def _lines(answers: list[Answer]) -> list[Line]:
    slowest = max(answers, key=lambda one: one.ms)
    longest = max(answers, key=lambda one: len(one.statements))
    slow = sum(bool(one.marks) for one in answers)
    return [
        Line("slowest page, CPU", slowest.ms, "ms", MOST_MS, slowest.address),
        Line("most queries", len(longest.statements), "queries", MOST_QUERIES, longest.address),
        Line("pages beyond", slow, f"of {len(answers)}", 0),
    ]


def _median_answer(client: Client, name: str, address: str) -> Answer:
    """The median of some rounds, after one that warms up."""
    _answer(client, name, address)
    answers = [_answer(client, name, address) for _round in range(ROUNDS)]
    middle = statistics.median_low(one.ms for one in answers)
    return next(one for one in answers if one.ms == middle)


def _answer(client: Client, name: str, address: str) -> Answer:
    with _statements() as statements:
        server, begun = _server_seconds(), time.process_time()
        response = client.get(address)
        content = _first_chunk(response) if response.streaming else response.content
        own = time.process_time() - begun
        response.close()
        server = _server_seconds() - server
    on = re.search(rb'href="(\?[^"]*rows_after=[^"]*)"', content)
    next_page = urljoin(address, html.unescape(on[1].decode())) if on and "rows_after" not in address else ""
    ms, server_ms = (own + server) * 1000, server * 1000
    return Answer(name, address, response.status_code, ms, server_ms, len(content), statements, next_page)


def _first_chunk(response: Any) -> bytes:
    """Of a long export people see the first lines at once; the rest costs memory and time of nobody else."""
    return next(iter(response.streaming_content), b"")


@contextmanager
def _statements() -> Iterator[list[tuple[float, str]]]:
    """Writes down each statement and its milliseconds by the clock."""
    seen: list[tuple[float, str]] = []

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            told = re.sub(r"SELECT .*? FROM", "SELECT … FROM", sql, count=1, flags=re.DOTALL)
            seen.append(((time.perf_counter() - begun) * 1000, f"{told} -- {params}"))

    with connection.execute_wrapper(watch):
        yield seen


def _server_seconds() -> float:
    """CPU seconds so far of the PostgreSQL process that serves us; 0 where it is elsewhere, and on SQLite."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return 0.0
    times = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return int(times.read_text().split()[0]) / 1e9 if times.exists() else 0.0


def _show_statements(answer: Answer) -> None:
    for ms, sql in sorted(answer.statements, reverse=True)[:5]:
        if ms > 3:
            print(f"      {ms:7.1f} ms  {sql[:700]}")


# ---- files that pages hand out ----


def _write_files(about: dict[str, Any]) -> None:
    """The lists of the last scan, the log and the manifest of deliveries, as they lie on a lab's disk."""
    scan, run, waiting = about["scan"], about["run"], about["waiting"]
    folder = scan_lists.fresh_folder(scan_lists.folder_of(settings.SEQAUTO_SCAN_RESOURCES_DIR, scan.pk))
    paths = [f"0_fastq/S{place}_S{place}_L001_R1_001.fastq.gz" for place in range(400)]
    with scan_lists.ChangeWriter(folder) as changes:
        changes.add(run.path, appeared=paths, changed=paths[:3])
    (folder / "fastq.tsv").write_text("".join(f"{run.path}/{path}\t412000000\t0\n" for path in paths * 100))
    log = folder / "convert.log"
    log.write_text("One line of a converter.\n" * 10_000)
    waiting.steps.filter(kind="convert").update(log=str(log))
    step = DeliveryStep.objects.get(delivery=about["delivery"], kind="back_up")
    step.figures["manifest"] = str(log)
    step.save(update_fields=["figures"])


# ---- what a browser needs for the first look ----


def _first_paint(client: Client, address: str) -> list[Line]:
    """What a page and all that it links weigh: files compressed as WhiteNoise keeps them, and as they are."""
    response = client.get(address, follow=True)
    linked = set(re.findall(r'(?:href|src)="/static/([^"]+\.(?:css|js|svg))"', response.content.decode()))
    files = {name: _static(name) for name in sorted(linked)}
    # A browser takes the first font that a style names.
    named = {name: re.search(r'url\("?([^")?]+\.woff2?)', text.decode()) for name, text in files.items()}
    fonts = {font: _static(os.path.normpath(f"{name}/../{font[1]}")) for name, font in named.items() if font}
    raw = len(response.content) + sum(map(len, [*files.values(), *fonts.values()]))
    sent = len(response.content) + sum(len(gzip.compress(one)) for one in files.values())
    sent += sum(map(len, fonts.values()))
    parts = f"page {len(response.content) / 1000:.0f}, files {len(files)}, fonts {len(fonts)}"
    return [
        Line("first paint of the home page, compressed", sent / 1000, "kB", MOST_FIRST_PAINT, parts),
        Line("the same, as it lies", raw / 1000, "kB", None),
    ]


def _static(name: str) -> bytes:
    found = finders.find(name)
    if not isinstance(found, str):
        sys.exit(f"The page links {name}, which is not there.")
    return Path(found).read_bytes()


if __name__ == "__main__":
    main()
