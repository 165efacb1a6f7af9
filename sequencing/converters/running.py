"""Runs converters: the one place where their processes start, are watched and end."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sequencing.illumina.errors import shown_size

from .complaints import reason_in, tells_of_no_space
from .problems import READ_THE_LOG, ConversionProblem

GRACE_SECONDS = 10.0  # between the request to end and the end
LONGEST_LOOK_SECONDS = 5.0  # between two looks at what was written
FULL_BYTES = 10_000_000  # a disk with less than this free has failed a conversion, whatever was said
_CHUNK = 1 << 16
_TAIL_BYTES = 1 << 16  # of a log, where the reason for a failure is looked for
_KEEPER = Path(__file__).with_name("keeper.py")
# What a program needs to find its own, and messages in one language; none of the worker's secrets.
_ENVIRONMENT = {"LC_ALL": "C", "LANG": "C", "PATH": os.defpath}
_KEPT = ("PATH", "HOME", "TZ", "JAVA_HOME", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a whole conversion may take, how long it may say and write nothing, how large a log may be."""

    seconds: float = 48 * 3600
    silence_seconds: float = 2 * 3600
    log_bytes: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched while programs run: limits, the folder that grows, whom to tell, and who may stop it.

    `progress` gets the bytes in `folder`; `deadline` is of time.monotonic(). `lock` is an open file that
    stays open until the programs have ended, even if this process is killed before.
    """

    limits: Limits
    deadline: float
    folder: Path
    progress: Callable[[int], None]
    stop: Callable[[], bool]
    lock: int | None = None


def run(
    argv: Sequence[str], watch: Watch, *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end; raise ConversionProblem where that is no success.

    It gets no input, and all that it says goes into `log`, whose beginning and end are kept. Its process
    group ends before this returns, whatever happens, and also if this process is killed.
    """
    name = os.path.basename(argv[0])
    with log.open("wb") as file, _kept(argv, cwd, environment or {}, watch.lock) as kept:
        capped = CappedLog(file, watch.limits.log_bytes)
        try:
            code = _wait(kept, capped, watch, name, log)
        finally:
            kept.end()
            kept.drain(capped)
            capped.close()
    if code is None:
        sentence = f"The process that watched over {name} was killed, and {name} with it."
        raise ConversionProblem("died", sentence, "Check that the machine has memory left, then retry.", log)
    if code:
        raise _failure(name, code, watch, log)


def _failure(name: str, code: int, watch: Watch, log: Path) -> ConversionProblem:
    said = _end_of(log)
    reason = reason_in(said)
    how = f"ended with exit code {code}" if code > 0 else f"was killed by {_signal_name(-code)}"
    sentence = f"{name} {how}" + (f' and said "{reason}"' if reason else "")
    disk, free = fullest_disk(watch.folder, log.parent)
    if tells_of_no_space(said) or free < FULL_BYTES:
        return no_space(sentence, disk, free, log)
    return ConversionProblem("failed", f"{sentence}.", READ_THE_LOG, log)


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
        return file.read().decode(errors="replace")


def fullest_disk(*folders: Path) -> tuple[Path, int]:
    """The disk (where it is mounted) with the least room of those of some folders, and its free bytes."""
    return min(((disk, _free_bytes(disk)) for disk in map(_disk_of, folders)), key=lambda found: found[1])


def _disk_of(folder: Path) -> Path:
    real = folder.resolve()
    return next(path for path in (real, *real.parents) if os.path.ismount(path))


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def no_space(what: str, disk: Path, free: int, log: Path | None = None) -> ConversionProblem:
    """`what` happened for want of room; a sentence without its end."""
    sentence = f"{what}; the disk at {disk} has {shown_size(free)} free."
    return ConversionProblem(
        "no_space", sentence, "Make room on that disk, or raise its quota, then retry.", log
    )


class CappedLog:
    """A log of limited size: the first half is written as it comes, of the rest the end is kept."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._half = file, max(most // 2, 1)
        self._room, self._tail, self._dropped = self._half, bytearray(), 0

    def write(self, data: bytes) -> None:
        head, rest = data[: self._room], data[self._room :]
        if head:
            self._room -= len(head)
            self._file.write(head)
            self._file.flush()
        self._tail += rest
        if len(self._tail) > 2 * self._half:
            self._cut_tail()

    def _cut_tail(self) -> None:
        surplus = max(len(self._tail) - self._half, 0)
        self._dropped += surplus
        del self._tail[:surplus]

    def close(self) -> None:
        self._cut_tail()
        if self._dropped:
            self._file.write(f"\n[{self._dropped:,} bytes left out]\n".encode())
        self._file.write(self._tail)
        self._file.flush()


# ---- A program and its keeper ---------------------------------------------------------------------


class _Kept:
    """A program with its keeper: a socket that tells its end, and a pipe of what it says."""

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        if process.stdout is None:
            raise ValueError("the process was started without a pipe")
        self.process, self.ours, self.said = process, ours, process.stdout
        os.set_blocking(self.said.fileno(), False)

    def ask_to_end(self) -> None:
        with contextlib.suppress(OSError):
            self.ours.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """End the group. The keeper is waited for afterwards, so that its number is still the group's."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def drain(self, log: CappedLog) -> None:
        while data := self.said.read(_CHUNK):
            log.write(data)

    def exit_code(self) -> int | None:
        """What the keeper says of the program's end, None where the keeper died."""
        with contextlib.suppress(OSError):
            if text := self.ours.recv(64):
                return int(text)
        return None


@contextmanager
def _kept(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str], lock: int | None
) -> Iterator[_Kept]:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", "-S", str(_KEEPER), str(os.getpid()), str(GRACE_SECONDS), *argv]
    with ours:
        with theirs:
            process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                bufsize=0, cwd=cwd, env={**_environment(), **environment},
                start_new_session=True, pass_fds=() if lock is None else (lock,),
            )  # fmt: skip
        with process:
            yield _Kept(process, ours)


def _wait(kept: _Kept, log: CappedLog, watch: Watch, name: str, log_path: Path) -> int | None:
    """Wait for the program's end and return its exit code; end it at a limit, or where a person asks."""
    look_seconds = min(LONGEST_LOOK_SECONDS, watch.limits.silence_seconds / 4, watch.limits.seconds / 4)
    life = next_look = time.monotonic()
    size = -1
    with selectors.DefaultSelector() as selector:
        selector.register(kept.said, selectors.EVENT_READ)
        selector.register(kept.ours, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _events in selector.select(look_seconds)}
            if kept.said in ready:
                life = time.monotonic()
                if data := kept.said.read(_CHUNK):
                    log.write(data)
                elif data == b"":
                    selector.unregister(kept.said)
            if kept.ours in ready:
                return kept.exit_code()
            if (now := time.monotonic()) >= next_look:
                next_look = now + look_seconds
                if (size_now := size_below(watch.folder)) != size:
                    size, life = size_now, now
                watch.progress(size)
                if problem := _reason_to_end(watch, now, life, name, log_path):
                    _end_gently(kept, log)
                    raise problem


def _reason_to_end(watch: Watch, now: float, life: float, name: str, log: Path) -> ConversionProblem | None:
    limits = watch.limits
    if watch.stop():
        return ConversionProblem("stopped", f"{name} was stopped.", "Retry when it may go on.", log)
    if now >= watch.deadline:
        sentence = f"The conversion took longer than {duration(limits.seconds)}, and {name} was ended."
        return ConversionProblem("too_long", sentence, "Raise the limit, or read in the log why.", log)
    if now - life >= limits.silence_seconds:
        sentence = f"{name} said and wrote nothing for {duration(limits.silence_seconds)}, and was ended."
        return ConversionProblem("silent", sentence, "Check that its disks answer, then retry.", log)
    return None


def _end_gently(kept: _Kept, log: CappedLog) -> None:
    """Ask for the end, and hear what is said until then; the keeper kills what does not end in time."""
    kept.ask_to_end()
    deadline = time.monotonic() + GRACE_SECONDS + 1
    with selectors.DefaultSelector() as selector:
        selector.register(kept.ours, selectors.EVENT_READ)
        while not selector.select(0.05) and time.monotonic() < deadline:
            kept.drain(log)


def duration(seconds: float) -> str:
    """A length of time for people: "90 seconds", "48 hours"."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.4g} {unit}"
    return f"{seconds:.3g} seconds"


def size_below(folder: Path) -> int:
    """The bytes in all files below a folder that grows meanwhile; links are not followed."""
    size = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone since
                size += os.lstat(os.path.join(parent, name)).st_size
    return size


def _environment() -> dict[str, str]:
    return _ENVIRONMENT | {name: value for name, value in os.environ.items() if name in _KEPT}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
