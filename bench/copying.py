"""Measures a verified copy beside `cp -a`, and `rsync -a` with `sha256sum`: `python -m bench.copying`.

All in turn, with the source in memory. CPU is that of the processes themselves; what the kernel writes
behind their backs counts for nobody, but ours syncs, and pays for that itself.
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.report import Line, show
from sequencing.copying import THREADS, copy_verified

SMALL, LARGE = (2_000, 500_000_000), (20_000, 4_000_000_000)
FILES_A_FOLDER = 100


class Cost(NamedTuple):
    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only 2,000 files, not 20,000 too")
    parser.add_argument(
        "--folder", type=Path, help="where to write, instead of the system's temporary folder"
    )
    parser.add_argument("--rounds", type=int, default=3, help="with 3, they take 40 GB")
    parser.add_argument("--threads", type=int, default=THREADS)
    options = parser.parse_args()
    for files, size in (SMALL,) if options.small else (SMALL, LARGE):
        with tempfile.TemporaryDirectory(prefix="seqauto-bench-", dir=options.folder) as folder:
            print(f"Writing {files:,} files, {size / 1e6:,.0f} MB ...", flush=True)
            source = write_run(Path(folder, "run"), files, size)
            show(f"Verified copy of {files:,} files", compare(source, options.rounds, options.threads))


def write_run(folder: Path, files: int, size: int) -> Path:
    """A run of base calls that no disk can compress, in folders as instruments make them."""
    for number in range(files):
        cycle = folder / f"Data/Intensities/BaseCalls/L00{number % 4 + 1}/C{number // 4 // FILES_A_FOLDER}.1"
        cycle.mkdir(parents=True, exist_ok=True)
        (cycle / f"s_{number}.bcl").write_bytes(os.urandom(size // files))
    return folder


def compare(source: Path, rounds: int, threads: int) -> list[Line]:
    ways = (_cp, _rsync_and_sums, lambda source, copy: _ours(source, copy, threads))
    # Each copy stays until the end: for half a minute after a removal, ext4 searches long for free inodes.
    costs = [
        [_cost(way, source, source.with_name(f"copy_{turn}_{number}")) for number, way in enumerate(ways)]
        for turn in range(rounds)
    ]
    cp, rsync, own = (
        Cost(*(statistics.median(figures) for figures in zip(*of_one_way, strict=True)))
        for of_one_way in zip(*costs, strict=True)
    )
    cpu = f"{own.cpu:.2f} s / {cp.cpu:.2f} s; wall {own.wall / cp.wall:.2f} ×"
    wall = f"{own.wall:.2f} s / {rsync.wall:.2f} s"
    return [
        Line("CPU / cp -a", own.cpu / cp.cpu, "×", 2, cpu),
        Line("wall / (rsync -a, sha256sum of both)", own.wall / rsync.wall, "×", 0.4, wall),
    ]


def _cp(source: Path, copy: Path) -> None:
    subprocess.run(["cp", "-a", source, copy], check=True)


def _rsync_and_sums(source: Path, copy: Path) -> None:
    subprocess.run(["rsync", "-a", f"{source}/", f"{copy}/"], check=True)
    for folder in map(str, (source, copy)):
        with source.with_name("sums").open("wb") as sums:
            command = ["find", folder, "-type", "f", "-exec", "sha256sum", "{}", "+"]
            subprocess.run(command, check=True, stdout=sums)


def _ours(source: Path, copy: Path, threads: int) -> None:
    copy_verified(source, copy, threads=threads)


def _cost(work: Callable[[Path, Path], None], source: Path, copy: Path) -> Cost:
    """What a copy costs on a disk that has written all before."""
    os.sync()
    cpu, wall = _cpu(), time.perf_counter()
    work(source, copy)
    return Cost(time.perf_counter() - wall, _cpu() - cpu)


def _cpu() -> float:
    """CPU seconds of this process and of those that it started, which have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
