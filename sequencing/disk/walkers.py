"""Reads disks in processes of their own.

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
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .errors import DiskError, printable
from .find_script import ScriptRow, look_at_lines
from .run_folders import Discovery, RootIdentity, discover, identify_root
from .run_listing import RunListing, walk_run

Run = tuple[str, str]
"""A run folder, and why it is skipped ("" where it is not)."""

MOST_WALKERS = 4
BATCH = 16  # runs an answer: fewer answers cost less, and progress still moves
ANSWER_SECONDS = 1  # a slow disk lets us know so often that it lives
SILENCE_SECONDS = 600  # a disk that lets us wait longer than this hangs
_PROGRAM = "from sequencing.disk.walkers import walk_as_ordered; walk_as_ordered()"


class Walker:
    """A process that reads disks for the scan; asking it raises DiskError where the disk fails or hangs."""

    def __init__(self, connection: Connection, silence_seconds: float) -> None:
        self._connection, self._silence_seconds = connection, silence_seconds

    def identify_root(self, root: str) -> RootIdentity:
        self.order(_identify_root, root)
        identity: RootIdentity = self.receive(root)
        return identity

    def discover(self, root: str, *, skip_marker: str) -> Discovery:
        self.order(_discover, root, skip_marker)
        discovery: Discovery = self.receive(root)
        return discovery

    def look_at_lines(self, lines: Sequence[str], root: str) -> list[ScriptRow]:
        self.order(_look_at_lines, lines)
        rows: list[ScriptRow] = self.receive(root)
        return rows

    def order(self, task: Callable[..., None], *args: object) -> None:
        """Let the process run a task of this module; its answers come by `receive`."""
        # In a thread, since a long order waits for a process that may hang.
        threading.Thread(target=self._send, args=((task, args),), daemon=True).start()

    def _send(self, order: object) -> None:
        with contextlib.suppress(OSError):  # of one that died `receive` tells
            self._connection.send(order)

    def receive(self, place: str) -> Any:
        while True:
            if not self._connection.poll(self._silence_seconds):
                raise DiskError(
                    f"{printable(place)}: the disk has not answered for {self._silence_seconds:g} seconds"
                )
            try:
                answer = self._connection.recv()
            except (EOFError, ConnectionError) as error:
                raise DiskError(f"{printable(place)}: the process that reads the disk died") from error
            if isinstance(answer, DiskError):
                raise answer
            if answer is not None:  # which is a sign of life only
                return answer


@contextmanager
def start_walker(silence_seconds: float | None = None) -> Iterator[Walker]:
    """A process that reads disks, as long as the context lasts."""
    command = [sys.executable, "-P", "-c", _PROGRAM]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ours, theirs = multiprocessing.Pipe()
    with theirs:
        process = subprocess.Popen(command, stdin=theirs.fileno(), env=environment)
    try:
        yield Walker(ours, SILENCE_SECONDS if silence_seconds is None else silence_seconds)
    finally:
        process.kill()
        # One that hangs in the kernel on a dead disk ends when the disk answers.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        ours.close()


@contextmanager
def start_walkers(silence_seconds: float | None = None) -> Iterator[list[Walker]]:
    """As many walkers as this machine can use for one root. Started together, they are ready together."""
    cores = range(min(os.cpu_count() or 1, MOST_WALKERS))
    with ExitStack() as stack:
        yield [stack.enter_context(start_walker(silence_seconds)) for _core in cores]


def walk_runs(
    runs: Sequence[Run],
    *,
    skip_marker: str,
    threads: int = 1,
    leave_out: Collection[str] = (),
    walkers: Sequence[Walker] = (),
    silence_seconds: float | None = None,
) -> Iterator[RunListing]:
    """List each run of (folder, reason to skip it), in the order given, by all `walkers` at once.

    `threads` a walker help where each call waits on a network; on local disks one is fastest. Without
    walkers it starts its own. Raises DiskError where the disk fails or stays silent.
    """
    if not walkers:
        with start_walkers(silence_seconds) as own:
            yield from walk_runs(
                runs, skip_marker=skip_marker, threads=threads, leave_out=leave_out, walkers=own
            )
        return
    batches = [runs[first : first + BATCH] for first in range(0, len(runs), BATCH)]
    for first, walker in enumerate(walkers):
        share = batches[first :: len(walkers)]
        walker.order(_walk, share, skip_marker, threads, frozenset(leave_out))
    for number, batch in enumerate(batches):
        done = 0
        while done < len(batch):
            folder, _skipped = batch[done]
            listings = walkers[number % len(walkers)].receive(folder)
            yield from listings
            done += len(listings)


# ---- in the other process ----

Answer = Callable[[object], None]


def walk_as_ordered() -> None:
    """The other end of a Walker: carry out orders until the scan ends."""
    with Connection(0) as scan, contextlib.suppress(EOFError, ConnectionError):
        while True:
            task, args = scan.recv()
            try:
                task(scan.send, *args)
            except DiskError as error:
                scan.send(error)


def _identify_root(answer: Answer, root: str) -> None:
    answer(identify_root(root))


def _discover(answer: Answer, root: str, skip_marker: str) -> None:
    answer(discover(root, skip_marker=skip_marker, alive=_signs_of_life(answer)))


def _look_at_lines(answer: Answer, lines: Sequence[str]) -> None:
    answer(list(look_at_lines(lines, alive=_signs_of_life(answer))))


def _signs_of_life(answer: Answer) -> Callable[[], None]:
    said = time.monotonic()

    def alive() -> None:
        nonlocal said
        if time.monotonic() - said >= ANSWER_SECONDS:
            said = time.monotonic()
            answer(None)

    return alive


def _walk(
    answer: Answer,
    batches: Sequence[Sequence[Run]],
    skip_marker: str,
    threads: int,
    leave_out: Collection[str],
) -> None:
    """Answer with the listings of a batch, or with those done so far where they take long."""
    runs = (run for batch in batches for run in batch)
    listings = walk_here(runs, skip_marker=skip_marker, threads=threads, leave_out=leave_out)
    for batch in batches:
        done, answered = [], time.monotonic()
        for listing in islice(listings, len(batch)):
            done.append(listing)
            if time.monotonic() - answered >= ANSWER_SECONDS:
                answer(done)
                done, answered = [], time.monotonic()
        if done:
            answer(done)


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
