"""What a walker does: the other end of `walkers.Walker`, in a process of its own.

Every scan waits for its walkers to start, so this module and what it imports stay light: no dataclasses, no
multiprocessing, no pathlib.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from . import pipe
from .errors import DiskError
from .run_folders import discover, identify_root
from .run_listing import RunListing, walk_run
from .script_lines import look_at_lines

if TYPE_CHECKING:
    from concurrent.futures import Future

Run = tuple[str, str]
"""A run folder, and why it is skipped ("" where it is not)."""

ANSWER_SECONDS = 1  # a slow disk lets the scan know so often that it lives

Answer = Callable[[object], None]


def walk_as_ordered() -> None:
    """Carry out orders until the scan ends. They come by the standard input, and the answers go there."""
    answer = partial(pipe.send, 0)
    try:
        while True:
            task, args = pipe.receive(0)
            try:
                task(answer, *args)
            except DiskError as error:
                answer(error)
    except (EOFError, ConnectionError):
        pass


def tell_identity(answer: Answer, root: str) -> None:
    answer(identify_root(root))


def tell_runs(answer: Answer, root: str, skip_marker: str) -> None:
    answer(discover(root, skip_marker=skip_marker, alive=_signs_of_life(answer)))


def tell_lines(answer: Answer, lines: Sequence[str]) -> None:
    answer(list(look_at_lines(lines, alive=_signs_of_life(answer))))


def _signs_of_life(answer: Answer) -> Callable[[], None]:
    said = time.monotonic()

    def alive() -> None:
        nonlocal said
        if time.monotonic() - said >= ANSWER_SECONDS:
            said = time.monotonic()
            answer(None)

    return alive


def tell_files(
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
    """As `walkers.walk_runs`, in this process."""

    def walk(run: Run) -> RunListing:
        folder, skipped = run
        if skipped:
            return RunListing(folder, {}, skipped)
        return walk_run(folder, skip_marker=skip_marker, leave_out=leave_out)

    if threads == 1:
        yield from map(walk, runs)
        return
    from concurrent.futures import ThreadPoolExecutor  # not needed on local disks

    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[RunListing]] = deque()
        for run in runs:
            ahead.append(pool.submit(walk, run))
            if len(ahead) > 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
