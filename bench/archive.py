"""Writes a large archive to measure on: `python -m bench.archive DIR --runs 1000 --samples 48`.

`--runs-new N` adds N runs to an archive made before.
"""

import argparse
import datetime
from pathlib import Path

from sequencing.demo import write_run

GROUPS = ("exome_v8", "cardio_panel", "genomes", "pharma")
FIRST_DAY = datetime.date(2023, 1, 2)


def write_archive(root: Path, runs: int, samples: int, first: int = 1) -> None:
    """Write runs numbered from `first`, each with 2 FASTQs a sample and 2 Undetermined, in four groups."""
    for number in range(first, first + runs):
        write_run(
            root / GROUPS[number % len(GROUPS)],
            instrument="NextSeq 500",
            split_lanes=False,
            number=number,
            date=FIRST_DAY + datetime.timedelta(days=number % 1000),
            samples=samples,
        )


def runs_in(root: Path) -> int:
    return sum(1 for group in GROUPS for _ in (root / group).glob("*_NB501009_*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--runs-new", type=int, default=0, help="add so many runs to those already there")
    options = parser.parse_args()
    first = runs_in(options.folder) + 1 if options.runs_new else 1
    write_archive(options.folder, options.runs_new or options.runs, options.samples, first)
    print(f"{runs_in(options.folder)} runs in {options.folder}")


if __name__ == "__main__":
    main()
