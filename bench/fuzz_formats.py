"""Throw damaged and random files at the formats: nothing but our own errors may come out.

    python -m bench.fuzz_formats [COUNT [SEED]]

Damages files of the corpus (../shared/corpus beside the repository, if it is there) and built-in ones, COUNT
times (default 10,000). Every other exception is printed with its seed; the exit code is then 1.
"""

from __future__ import annotations

import random
import sys
import traceback
from pathlib import Path

from bench.formats import run_info_of, sheet_of
from sequencing.illumina.completion import completion
from sequencing.illumina.errors import FormatError
from sequencing.illumina.fastq_name import parse_fastq_name
from sequencing.illumina.run_info import parse_run_info
from sequencing.illumina.run_name import parse_run_name
from sequencing.illumina.run_parameters import parse_run_parameters
from sequencing.illumina.sample_sheet import meaningful_key, parse_sample_sheet
from sequencing.illumina.summary import summarise_run_info, summarise_run_parameters, summarise_sheet

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "files"
LARGEST = 100_000
PIECES = [
    b",", b";", b'"', b"\n", b"\r", b"\r\n", b"\0", b"#", b"[", b"]", b"[Data]\n", b"Sample_ID,", b"Lane,",
    b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"<", b">", b"</", b"/>", b"&", b"&a;", b"<!DOCTYPE a>", b"<!--",
    b"]]>", b"../", b"99999999999999999999", b"\xe2\x80\xae", b"1e9", b"-1", b"N/A", b"A" * 5_000,
]  # fmt: skip


def main(count: int, seed: int) -> int:
    files = seeds()
    print(f"{count:,} damaged files from {len(files):,}, seed {seed}")
    failures = 0
    for number in range(count):
        generator = random.Random(f"{seed}-{number}")
        try:
            read_all(damaged(generator, files))
        except Exception:  # noqa: BLE001 - finding any exception is what this is for
            failures += 1
            print(f"--- seed {seed}, file {number}")
            traceback.print_exc(file=sys.stdout)
    print(f"{failures} exceptions that are not ours")
    return 1 if failures else 0


def seeds() -> list[bytes]:
    found = [path for end in ("csv", "xml") for path in sorted(CORPUS.glob(f"**/*.{end}"))]
    if not found:
        print(f"No corpus in {CORPUS}: built-in files only")
    real = {path.read_bytes() for path in found if path.stat().st_size <= LARGEST}
    return [b"", sheet_of(20), run_info_of(20), *sorted(real)]


def damaged(generator: random.Random, files: list[bytes]) -> bytes:
    if generator.random() < 0.05:
        return generator.randbytes(generator.randrange(2_000))
    content = bytearray(generator.choice(files))
    for _ in range(generator.randrange(1, 12)):
        start = generator.randrange(len(content) + 1)
        end = min(len(content), start + int(generator.expovariate(0.05)))
        choice = generator.random()
        if choice < 0.5:
            content[start:end] = generator.choice(PIECES)
        elif choice < 0.7:
            content[start:end] = generator.randbytes(generator.randrange(6))
        elif choice < 0.8:
            content[start:start] = content[start:end] * generator.randrange(1, 50)
        elif choice < 0.9:
            del content[start:]
        else:
            other = generator.choice(files)
            content[start:start] = other[: generator.randrange(len(other) + 1)]
    encoded = bytes(content[: 10 * LARGEST])
    return encoded.decode("utf-8", "replace").encode("utf-16") if generator.random() < 0.05 else encoded


def read_all(data: bytes) -> None:
    sheet = parse_sample_sheet(data)
    hash(meaningful_key(sheet))
    summarise_sheet(sheet)
    if not (sheet.rows or sheet.errors):
        raise AssertionError("a sheet without samples and without errors")
    completion("MiniSeq", ["RTAComplete.txt"], data)
    for line in data[:2_000].decode("utf-8", "replace").split("\n")[:20]:
        parse_run_name(line)
        parse_fastq_name(line)
    try:
        summarise_run_info(parse_run_info(data))
    except FormatError as error:
        str(error)
    try:
        summarise_run_parameters(parse_run_parameters(data))
    except FormatError as error:
        str(error)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(arguments + [10_000, 1][len(arguments) :])))
