"""Runs one program, and ends it with all that it started: when it is done, and when nobody waits for it.

A process of its own between the worker and the converter, since a worker killed by kill -9 can end nothing
itself. Its standard input is a socket that only the worker holds: the program's exit code goes there, and
its end means that the worker is gone or wants an end. Started as a file, so that it imports nothing of ours.

The keeper leads a session and a process group, and the program and its children are in that group: one
signal reaches them all, the keeper too.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time

WORKER = 0  # the socket to the worker
NICENESS = 10  # pages and scans go before
LOOK_SECONDS = 1.0


def keep(worker_pid: int, grace_seconds: float, argv: list[str]) -> None:
    # A handler and not SIG_IGN, which the program would inherit.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    threading.Thread(target=_end_when_alone, args=(worker_pid, grace_seconds), daemon=True).start()
    os.nice(NICENESS)
    try:
        code = subprocess.Popen(argv, stdin=subprocess.DEVNULL).wait()
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        code = 127
    with contextlib.suppress(OSError):  # the worker is gone
        os.write(WORKER, f"{code}\n".encode())
    os.killpg(0, signal.SIGKILL)


def _end_when_alone(worker_pid: int, grace_seconds: float) -> None:
    """Wait until the socket closes or, where a copy of it stays open in some fork, the worker is no more."""
    while not select.select([WORKER], [], [], LOOK_SECONDS)[0] and os.getppid() == worker_pid:
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(grace_seconds)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    keep(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
