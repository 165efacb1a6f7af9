"""Real processes for tests: SeqAuto's own on the test's database, a disk as slow as wanted, a roadblock in
the database. Nothing in the product knows of them.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    """The first true answer of `condition`; fails the test if none comes for very long."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)
    return answer


class Child:
    """A running process, in a session of its own, with its output in files."""

    def __init__(self, command: list[str], environment: Mapping[str, str], output: Path) -> None:
        self.out_file, self.err_file = output.with_suffix(".out"), output.with_suffix(".err")
        with self.out_file.open("wb") as out, self.err_file.open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=err, start_new_session=True
            )

    @property
    def out(self) -> str:
        return self.out_file.read_text()

    @property
    def err(self) -> str:
        return self.err_file.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def returncode(self) -> int:
        """Wait for the end."""
        return self.process.wait(timeout=90)

    def kill(self) -> None:
        """kill -9 of the process alone, as the kernel does it when memory is short."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Leave nothing of it, nor of what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Children:
    """Starts processes on the test's database, and ends them all."""

    def __init__(self, manage_py: tuple[list[str], dict[str, str]], folder: Path) -> None:
        self.manage_py, self.environment = manage_py
        self.folder = folder
        self.started: list[Child] = []

    def manage(self, *arguments: str, **environment: str) -> Child:
        return self._start([*self.manage_py, *arguments], environment)

    def scan(self, *arguments: str, **environment: str) -> Child:
        return self.manage("scan_run_jobs", *arguments, **environment)

    def celery(self, *arguments: str, **environment: str) -> Child:
        return self._start([sys.executable, "-m", "celery", "-A", "settings", *arguments], environment)

    def python(self, *arguments: str, **environment: str) -> Child:
        return self._start([sys.executable, *arguments], environment)

    def _start(self, command: list[str], environment: Mapping[str, str]) -> Child:
        output = self.folder / f"child_{len(self.started)}"
        child = Child(command, {**self.environment, **environment}, output)
        self.started.append(child)
        return child

    def end(self) -> None:
        for child in reversed(self.started):
            child.end()


class SlowDisk:
    """A find script that lists FASTQs only when the test lets it: Scanning Files takes as long as wanted."""

    def __init__(self, folder: Path) -> None:
        self.held, self.asked = folder / "disk_held", folder / "disk_asked"
        self.script = folder / "slow_find.sh"
        self.script.write_text(
            f'#!/bin/sh\n: > "{self.asked}"\nwhile [ -e "{self.held}" ]; do sleep 0.1; done\n'
            'find "$1" -name "*.fastq.gz"\n'
        )
        self.script.chmod(0o755)
        self.hold()

    @property
    def scripts(self) -> dict[str, str]:
        return {"fastq": str(self.script)}

    @property
    def environment(self) -> dict[str, str]:
        return {"SEQAUTO_FIND_SCRIPTS": json.dumps(self.scripts)}

    def hold(self) -> None:
        self.held.touch()
        self.asked.unlink(missing_ok=True)

    def let_go(self) -> None:
        self.held.unlink(missing_ok=True)

    def wait_until_asked(self) -> None:
        wait_until(self.asked.exists, "a scan walks the disk")


@contextmanager
def roadblock(table: str, event: str, when: str) -> Iterator[Callable[[], bool]]:
    """Stop whoever writes such a row, in the middle of the transaction; yields "is somebody stopped?".

    On PostgreSQL a trigger waits for a lock that the test holds, on SQLite it counts for hours.
    """
    block = _block_postgres if connection.vendor == "postgresql" else _block_sqlite
    with block(table, event, when) as is_reached:
        yield is_reached


@contextmanager
def _block_postgres(table: str, event: str, when: str) -> Iterator[Callable[[], bool]]:
    holder = connection.copy()
    with holder.cursor() as cursor, connection.cursor() as own:
        cursor.execute("SELECT pg_advisory_lock(39)")
        own.execute(
            "CREATE FUNCTION roadblock() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock(39); RETURN NEW; END $$"
        )
        own.execute(
            f"CREATE TRIGGER roadblock BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) "
            "EXECUTE FUNCTION roadblock()"
        )

        def is_reached() -> bool:
            own.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            return own.fetchone()[0] > 0

        try:
            yield is_reached
        finally:
            # The server notices a dead client only when the statement it waits in has ended.
            cursor.execute("SELECT pg_advisory_unlock(39)")
            own.execute("DROP FUNCTION roadblock() CASCADE")
            holder.close()


@contextmanager
def _block_sqlite(table: str, event: str, when: str) -> Iterator[Callable[[], bool]]:
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE roadblock AS SELECT rowid AS n FROM sqlite_master LIMIT 40")
        cursor.execute(
            f"CREATE TRIGGER roadblock_trigger BEFORE {event} ON {table} WHEN {when} BEGIN "
            "SELECT count(*) FROM roadblock a, roadblock b, roadblock c, roadblock d, roadblock e, "
            "roadblock f WHERE a.n + b.n + c.n + d.n + e.n + f.n < 0; END"
        )

    def is_reached() -> bool:
        # No other write of a scan keeps the lock for a second.
        with sqlite3.connect(name, timeout=1) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            probe.rollback()
        return False

    try:
        yield is_reached
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER roadblock_trigger")
            cursor.execute("DROP TABLE roadblock")
