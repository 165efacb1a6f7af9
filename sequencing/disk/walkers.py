"""Reads disks in processes of their own.

For two reasons. A network disk that hangs can block a process for ever: here the scan notices the silence
and goes on without that root. And CPython walks about 1.6 times slower than `find`; two processes on two
cores make up for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import pipe
from .errors import DiskError, printable
from .run_folders import Discovery, RootIdentity
from .run_listing import RunListing
from .script_lines import ScriptRow
from .walker_process import Run, tell_files, tell_identity, tell_lines, tell_runs

MOST_WALKERS = 4
BATCH = 16  # runs an answer: fewer answers cost less, and progress still moves
SILENCE_SECONDS = 600  # a disk that lets us wait longer than this hangs
_PROGRAM = "from sequencing.disk.walker_process import walk_as_ordered; walk_as_ordered()"


class Walker:
    """A process that reads disks for the scan; asking it raises DiskError where the disk fails or hangs."""

    def __init__(self, ours: socket.socket, silence_seconds: float) -> None:
        self._pipe, self._silence_seconds = ours.fileno(), silence_seconds

    def identify_root(self, root: str) -> RootIdentity:
        self.order(tell_identity, root)
        identity: RootIdentity = self.receive(root)
        return identity

    def discover(self, root: str, *, skip_marker: str) -> Discovery:
        self.order(tell_runs, root, skip_marker)
        discovery: Discovery = self.receive(root)
        return discovery

    def look_at_lines(self, lines: Sequence[str], root: str) -> list[ScriptRow]:
        self.order(tell_lines, lines)
        rows: list[ScriptRow] = self.receive(root)
        return rows

    def order(self, task: Callable[..., None], *args: object) -> None:
        """Let the process run a task of this module; its answers come by `receive`."""
        # In a thread, since a long order waits for a process that may hang.
        threading.Thread(target=self._send, args=((task, args),), daemon=True).start()

    def _send(self, order: object) -> None:
        with contextlib.suppress(OSError):  # of one that died `receive` tells
            pipe.send(self._pipe, order)

    def receive(self, place: str) -> Any:
        while True:
            try:
                answer = pipe.receive(self._pipe, self._silence_seconds)
            except TimeoutError as error:
                silence = f"the disk has not answered for {self._silence_seconds:g} seconds"
                raise DiskError(f"{printable(place)}: {silence}") from error
            except (EOFError, ConnectionError) as error:
                raise DiskError(f"{printable(place)}: the process that reads the disk died") from error
            if isinstance(answer, DiskError):
                raise answer
            if answer is not None:  # which is a sign of life only
                return answer


@contextmanager
def start_walker(silence_seconds: float | None = None) -> Iterator[Walker]:
    """A process that reads disks, as long as the context lasts."""
    command = [sys.executable, "-S", "-P", "-c", _PROGRAM]  # -S: it needs no installed packages
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ours, theirs = socket.socketpair()
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
        walker.order(tell_files, share, skip_marker, threads, frozenset(leave_out))
    for number, batch in enumerate(batches):
        done = 0
        while done < len(batch):
            folder, _skipped = batch[done]
            listings = walkers[number % len(walkers)].receive(folder)
            yield from listings
            done += len(listings)
