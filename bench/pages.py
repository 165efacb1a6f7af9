"""What each page costs with 10,000 runs and a million files, on both databases: `python -m bench.pages`.

Prints queries, milliseconds of CPU (of PostgreSQL's process too) and bytes of each, and marks what is beyond
100 ms or 15 queries. `--only runs /messages/` asks for some, by the name of an address or its beginning;
`--keep FOLDER` keeps the databases for the next time; `--sql` shows the slow statements of marked pages.
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
VENDORS = ("sqlite", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", default=[], metavar="PAGE")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--sql", action="store_true")
    parser.add_argument("--database", choices=VENDORS, help="only this one")
    parser.add_argument("--postgres", default="postgres://postgres@127.0.0.1:5432/test")
    options = parser.parse_args()
    with _folder(options.keep) as folder:
        for vendor in (options.database,) if options.database else VENDORS:
            with _database(vendor, folder, options) as url:
                if url:
                    sql = ["--sql"] if options.sql else []
                    _child(folder, url, "ask", *sql, "--only", *options.only)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="seqauto-bench-") as folder:
        yield Path(folder)


def _child(folder: Path, url: str, *arguments: str) -> None:
    """Work on one database, in a process of its own: Django's settings are read once a process."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.local",
        "DATABASE_URL": url,
        "SEQAUTO_VAR_DIR": str(folder / "var"),
        "SEQAUTO_SCAN_ROOTS": "/archive",
        "SEQAUTO_INCOMING_DIRS": "/incoming",
        "SEQAUTO_BACKUP_DIR": "/backup",
        "SEQAUTO_FASTQ_DIR": "/fastq",
        # Processes that help PostgreSQL's would be counted nowhere.
        "PGOPTIONS": "-c max_parallel_workers_per_gather=0",
    }
    command = [sys.executable, "-m", "bench.pages_rounds", *arguments]
    subprocess.run(command, env=environment, cwd=HERE, check=True)


# ---- databases ----


@contextmanager
def _database(vendor: str, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """The address of a database with all rows; "" where the server cannot be reached."""
    if vendor == "sqlite":
        file = folder / "pages.sqlite3"
        _fill(vendor, folder, f"sqlite:///{file}", options.runs, lambda: _remove(file))
        yield f"sqlite:///{file}"
        return
    if not (server := _server(options.postgres)):
        print(f"left out: {options.postgres.partition('@')[2]} is not reachable")
        yield ""
        return
    # What is kept is kept by its folder.
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:8] if options.keep else f"{os.getpid()}"
    name = f"seqauto_bench_{mark}"
    url = f"{options.postgres.rpartition('/')[0]}/{name}"
    try:
        _fill(vendor, folder, url, options.runs, lambda: _make_anew(server, name))
        yield url
    finally:
        if not options.keep:
            _execute(server, f"DROP DATABASE IF EXISTS {name}")
        server.close()


def _fill(vendor: str, folder: Path, url: str, runs: int, empty: Callable[[], None]) -> None:
    """Write all rows, unless that was done before by this very code."""
    rows = HERE / "bench" / "pages_rows.py"
    version = f"{runs} {hashlib.sha256(rows.read_bytes()).hexdigest()}"
    mark = folder / f"{vendor}.filled"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two measurements at a time, one writes
        if mark.exists() and mark.read_text() == version:
            return
        mark.unlink(missing_ok=True)
        print(f"Writing {runs:,} runs ...", flush=True)
        empty()
        _child(folder, url, "fill", "--runs", str(runs))
        mark.write_text(version)


def _remove(file: Path) -> None:
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()


def _server(url: str) -> Any:
    """A connection to PostgreSQL; None where it cannot be reached."""
    import psycopg2

    try:
        server = psycopg2.connect(url)
    except psycopg2.OperationalError:
        return None
    server.autocommit = True
    return server


def _make_anew(server: Any, name: str) -> None:
    _execute(server, f"DROP DATABASE IF EXISTS {name}")
    _execute(server, f"CREATE DATABASE {name}")


def _execute(server: Any, statement: str) -> None:
    with server.cursor() as cursor:
        cursor.execute(statement)


if __name__ == "__main__":
    main()
