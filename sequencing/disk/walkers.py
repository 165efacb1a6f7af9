"""Walks many run folders in processes of their own.

For two reasons. A network disk that hangs can block a process for ever: here the scan notices the silence
and goes on without that root. And CPython walks about 1.6 times slower than `find`; two processes on two
cores make up for it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from .errors import DiskError
from .run_listing import RunListing, walk_run

Run = tuple[str, str]
"""A run folder, and why it is skipped ("" where it is not)."""

BATCH = 16  # runs an answer: fewer answers cost less, and progress still moves
SILENCE_SECONDS = 600  # a disk that lets a batch wait longer than this hangs
_PROGRAM = "from sequencing.disk.walkers import walk_as_ordered; walk_as_ordered()"


def walk_runs(
    runs: Sequence[Run],
    *,
    skip_marker: str,
    threads: int = 1,
    leave_out: Collection[str] = (),
    silence_seconds: float = SILENCE_SECONDS,
) -> Iterator[RunListing]:
    """List each run of (folder, reason to skip it), in the order given.

    `threads` a process help where each call waits on a network; on local disks one is fastest. Raises
    DiskError where the disk fails or stays silent for `silence_seconds`.
    """
    batches = [runs[first : first + BATCH] for first in range(0, len(runs), BATCH)]
    processes = min(os.cpu_count() or 1, 4, len(batches))
    with ExitStack() as stack:
        walkers = [
            stack.enter_context(_walker(batches[first::processes], skip_marker, threads, leave_out))
            for first in range(processes)
        ]
        for number, batch in enumerate(batches):
            yield from _receive(walkers[number % processes], batch[0][0], silence_seconds)


def _receive(walker: Connection, folder: str, silence_seconds: float) -> list[RunListing]:
    if not walker.poll(silence_seconds):
        raise DiskError(f"{folder}: the disk has not answered for {silence_seconds:g} seconds")
    try:
        answer = walker.recv()
    except (EOFError, ConnectionError) as error:
        raise DiskError(f"{folder}: the process that reads the disk died") from error
    if isinstance(answer, list):
        return answer
    raise answer


@contextmanager
def _walker(
    batches: Sequence[Sequence[Run]], skip_marker: str, threads: int, leave_out: Collection[str]
) -> Iterator[Connection]:
    command = [sys.executable, "-c", _PROGRAM]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ours, theirs = multiprocessing.Pipe()
    with theirs, tempfile.TemporaryFile() as orders:  # a file, since a pipe would wait for one that hangs
        pickle.dump((batches, skip_marker, threads, frozenset(leave_out)), orders)
        orders.seek(0)
        process = subprocess.Popen(command, stdin=orders, stdout=theirs.fileno(), env=environment)
    try:
        with ours:
            yield ours
    finally:
        process.kill()
        # One that hangs in the kernel on a dead disk ends when the disk answers.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


def walk_as_ordered() -> None:
    """The other end of `_walker`: read orders, answer with a list of RunListing for each batch."""
    batches, skip_marker, threads, leave_out = pickle.load(sys.stdin.buffer)  # noqa: S301  `_walker` wrote it
    with Connection(1) as scan:
        runs = (run for batch in batches for run in batch)
        listings = walk_here(runs, skip_marker=skip_marker, threads=threads, leave_out=leave_out)
        try:
            for batch in batches:
                scan.send(list(islice(listings, len(batch))))
        except DiskError as error:
            scan.send(error)
        except BrokenPipeError:
            pass  # the scan has ended


def walk_here(
    runs: Iterable[Run], *, skip_marker: str, threads: int = 1, leave_out: Collection[str] = ()
) -> Iterator[RunListing]:
    """As `walk_runs`, in this process."""

    def walk(run: Run) -> RunListing:
        folder, skipped = run
        if skipped:
            return RunListing(folder, skipped=skipped)
        return walk_run(folder, skip_marker=skip_marker, leave_out=leave_out)

    if threads == 1:
        yield from map(walk, runs)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[RunListing]] = deque()
        for run in runs:
            ahead.append(pool.submit(walk, run))
            if len(ahead) > 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
