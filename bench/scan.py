"""Measures a disk scan beside `find` on the same archive, in turn, in one run: `python -m bench.scan`.

Prints ratios and what they should be. Seconds of one machine mean nothing on another; ratios nearly do.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.archive import write_archive
from bench.report import Line, show

ROUNDS = 5
HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--postgres", default="postgres://postgres@127.0.0.1:5432/test")
    parser.add_argument(
        "--million", action="store_true", help="measure the memory of a scan of a million files"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seqauto-bench-") as folder:
        archive = Path(folder, "archive")
        print(f"Writing {options.runs} runs of {options.samples} samples ...", flush=True)
        write_archive(archive, options.runs, options.samples)
        show("Start-up", [_start_up()])
        show("Walk with 1 ms in every call", [_threads(archive)])
        for name, url in (("SQLite", f"sqlite:///{folder}/db.sqlite3"), ("PostgreSQL", options.postgres)):
            if lines := _in_child(archive, folder, url, options):
                show(f"Scan, {name}", lines)
        if options.million:
            show("Memory", [_memory(Path(folder, "million"), folder)])


# ---- one database, in a process of its own ----


def _in_child(archive: Path, folder: str, url: str, options: argparse.Namespace) -> list[Line]:
    """Measure with one database; its Django settings are read once a process."""
    command = [
        sys.executable,
        "-m",
        "bench.scan_rounds",
        str(archive),
        str(options.runs),
        str(options.samples),
    ]
    with _database(url) as own_url:
        if not own_url:
            print(f"left out: {url.partition('@')[2] or url} is not reachable")
            return []
        environment = _environment(archive, folder, own_url)
        done = subprocess.run(
            command, env=environment, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True
        )
    return [Line.read(line) for line in done.stdout.splitlines()]


def _environment(archive: Path, folder: str, url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.local",
        "DATABASE_URL": url,
        "SEQAUTO_VAR_DIR": f"{folder}/var",
        "SEQAUTO_SCAN_ROOTS": str(archive),
    }


@contextmanager
def _database(url: str) -> Iterator[str]:
    """A database of our own beside the one named; "" where the server cannot be reached."""
    if url.startswith("sqlite"):
        yield url
        return
    import psycopg2

    name = f"seqauto_bench_{os.getpid()}"
    try:
        server = psycopg2.connect(url)
    except psycopg2.OperationalError:
        yield ""
        return
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{url.rpartition('/')[0]}/{name}"
        finally:
            cursor.execute(f"DROP DATABASE {name}")
    server.close()


# ---- without a database ----


def _start_up() -> Line:
    """`manage.py help` beside a Python that imports nothing: what every command pays before it begins."""
    bare = _median(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    environment = {**os.environ, "SEQAUTO_VAR_DIR": tempfile.gettempdir()}
    command = [sys.executable, "manage.py", "check"]
    ours = _median(
        lambda: subprocess.run(command, cwd=HERE, check=True, env=environment, capture_output=True)
    )
    return Line("manage.py check / bare Python", ours / bare, "×", None, f"{ours:.2f} s")


def _threads(archive: Path) -> Line:
    """The walk of some runs on a disk where each call takes a millisecond, with 1 thread and with 16."""
    from sequencing.disk import discover, run_listing
    from sequencing.disk.walker_process import walk_here

    runs = discover(str(archive), skip_marker="").runs[:64]
    with _slow_calls(run_listing):
        one = _once(lambda: list(walk_here(runs, skip_marker="", threads=1)))
        many = _once(lambda: list(walk_here(runs, skip_marker="", threads=16)))
    return Line("16 threads / 1 thread", many / one, "×", 1 / 8, f"{many:.2f} s / {one:.2f} s")


@contextmanager
def _slow_calls(module: Any) -> Iterator[None]:
    """Let every call of the walk to the file system sleep for a millisecond, as over a network."""

    def slow(call: Callable[..., Any]) -> Callable[..., Any]:
        def slow_call(*args: Any, **options: Any) -> Any:
            time.sleep(0.001)
            return call(*args, **options)

        return slow_call

    def entry(real: os.DirEntry[str]) -> SimpleNamespace:
        return SimpleNamespace(
            name=real.name,
            is_file=real.is_file,
            is_dir=real.is_dir,
            is_symlink=real.is_symlink,
            stat=slow(real.stat),
        )

    @contextmanager
    def scandir(path: int) -> Iterator[Iterator[SimpleNamespace]]:
        with slow(os.scandir)(path) as entries:
            yield map(entry, entries)

    module.os = SimpleNamespace(**{**vars(os), "open": slow(os.open), "scandir": scandir})
    try:
        yield
    finally:
        module.os = os


def _memory(archive: Path, folder: str) -> Line:
    """The most memory that a first scan of a million files takes, its walkers included one by one."""
    print("Writing a million files ...", flush=True)
    write_archive(archive, 1000, 500)
    environment = _environment(archive, folder, f"sqlite:///{folder}/million.sqlite3")
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, cwd=HERE, check=True)
    process = subprocess.Popen(
        [*manage, "scan_run_jobs"], env=environment, cwd=HERE, stderr=subprocess.DEVNULL
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("The scan of a million files failed.")
    return Line("peak of a scan of a million files", usage.ru_maxrss / 1024, "MB", 600, "")


def _once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _median(work: Callable[[], object]) -> float:
    return statistics.median(_once(work) for _ in range(ROUNDS))


if __name__ == "__main__":
    main()
