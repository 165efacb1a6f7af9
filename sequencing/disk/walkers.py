"""Walks many run folders in processes of their own.

For two reasons. A network disk that hangs can block a process for ever: here the scan notices the silence
and goes on without that root. And CPython walks about 1.6 times slower than `find`; two processes on two
cores make up for it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from .errors import DiskError
from .run_listing import RunListing, walk_run

SILENCE_SECONDS = 600  # one folder that takes longer than this hangs
_PROGRAM = "from sequencing.disk.walkers import walk_as_ordered; walk_as_ordered()"


def walk_runs(
    runs: Sequence[tuple[str, str]],
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
    processes = min(os.cpu_count() or 1, 4, max(1, len(runs) // 50))
    with ExitStack() as stack:
        walkers = [
            stack.enter_context(_walker(runs[first::processes], skip_marker, threads, leave_out))
            for first in range(processes)
        ]
        for number, (folder, _skipped) in enumerate(runs):
            yield _receive(walkers[number % processes], folder, silence_seconds)


def _receive(walker: Connection, folder: str, silence_seconds: float) -> RunListing:
    if not walker.poll(silence_seconds):
        raise DiskError(f"{folder}: the disk has not answered for {silence_seconds:g} seconds")
    try:
        answer = walker.recv()
    except EOFError as error:
        raise DiskError(f"{folder}: the process that reads the disk died") from error
    if isinstance(answer, RunListing):
        return answer
    raise answer


@contextmanager
def _walker(
    runs: Sequence[tuple[str, str]], skip_marker: str, threads: int, leave_out: Collection[str]
) -> Iterator[Connection]:
    command = [sys.executable, "-c", _PROGRAM]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ours, theirs = multiprocessing.Pipe()
    process = subprocess.Popen(command, stdin=theirs.fileno(), env=environment)
    theirs.close()
    try:
        with ours:
            ours.send((list(runs), skip_marker, threads, frozenset(leave_out)))
            yield ours
    finally:
        process.kill()
        # One that hangs in the kernel on a dead disk ends when the disk answers.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


def walk_as_ordered() -> None:
    """The other end of `_walker`: read orders, answer with one RunListing a run, in order."""
    with Connection(0) as scan:
        runs, skip_marker, threads, leave_out = scan.recv()
        try:
            for listing in walk_here(runs, skip_marker=skip_marker, threads=threads, leave_out=leave_out):
                scan.send(listing)
        except DiskError as error:
            scan.send(error)
        except BrokenPipeError:
            pass  # the scan has ended


def walk_here(
    runs: Iterable[tuple[str, str]], *, skip_marker: str, threads: int = 1, leave_out: Collection[str] = ()
) -> Iterator[RunListing]:
    """As `walk_runs`, in this process."""

    def walk(run: tuple[str, str]) -> RunListing:
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
