"""Measures an upload beside rclone, s5cmd and `aws s3 sync`, in turn, in one run: `python -m bench.upload`.

All send the same files to an `rclone serve s3` of this machine, begun anew each time, each in a process of
its own. Of ours the start of Python and its packages is left out: a worker pays it once, not an upload; and
so are the hashes of the FASTQs, which are known since the conversion was judged. Ours proves every object by
the server's MD5, as rclone does and the others do not; the time with reading all back is told too. Prints
ratios and what they should be.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.report import Line, show

HERE = Path(__file__).resolve().parent.parent
KEYS = ("seqauto-bench", "a-secret-of-this-bench")
BUCKET = "delivered"
OURS, OURS_READ_BACK = "ours", "ours, all read back"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=200, help="files of 1 MB")
    parser.add_argument("--large", type=int, default=6, help="files of 64 MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--aws", default="aws", help="the AWS CLI (PyPI awscli), left out where it is absent")
    parser.add_argument(
        "--send", nargs=3, metavar=("ENDPOINT", "FOLDER", "READ_BACK"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.send:
        _send(*options.send)
        return
    with tempfile.TemporaryDirectory(prefix="seqauto-bench-") as folder:
        files = Path(folder, "fastq")
        _write_files(files, options.small, options.large)
        show("Upload", _measure(files, Path(folder, "server"), options.rounds, options.aws))


def _measure(files: Path, root: Path, rounds: int, aws: str) -> list[Line]:
    seconds: dict[str, list[float]] = {}
    for _round in range(rounds):
        for name in (OURS, "rclone copy", "s5cmd cp", "aws s3 sync", OURS_READ_BACK):
            taken = _time(name, files, root, aws)
            if taken is None:
                print(f"left out: {name} is not installed")
            else:
                seconds.setdefault(name, []).append(taken)
    return _lines({name: statistics.median(taken) for name, taken in seconds.items()})


def _lines(seconds: dict[str, float]) -> list[Line]:
    def line(what: str, of: str, to: str, target: float | None, more: bool = False) -> Line:
        detail = f"{seconds[of]:.2f} s / {seconds[to]:.2f} s"
        return Line(what, seconds[of] / seconds[to], "×", target, detail, more_is_better=more)

    lines = []
    if others := [name for name in ("rclone copy", "s5cmd cp") if name in seconds]:
        fastest = min(others, key=lambda name: seconds[name])
        lines.append(line(f"upload, proven / {fastest}", OURS, fastest, 1.1))
        lines += [line(f"upload, proven / {name}", OURS, name, None) for name in others if name != fastest]
        lines.append(line(f"upload, read back / {fastest}", OURS_READ_BACK, fastest, None))
    if "aws s3 sync" in seconds:
        lines.append(line("aws s3 sync / upload, proven", "aws s3 sync", OURS, 1.5, more=True))
    return lines


def _time(name: str, files: Path, root: Path, aws: str) -> float | None:
    """Seconds of one upload into an empty bucket; None where the program is absent."""
    with _server(root) as endpoint:
        command = _command(name, files, endpoint, aws)
        if not shutil.which(command[0]):
            return None
        begun = time.perf_counter()
        done = subprocess.run(command, env=_environment(), cwd=HERE, check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - begun
        if name in (OURS, OURS_READ_BACK):
            seconds = float(done.stdout)
        arrived = sum(path.stat().st_size for path in root.rglob("*.fastq.gz"))
    if arrived != sum(path.stat().st_size for path in files.iterdir()):
        raise SystemExit(f"{name} did not upload every file.")
    return seconds


def _command(name: str, files: Path, endpoint: str, aws: str) -> list[str]:
    remote = f':s3,provider=Rclone,env_auth=true,endpoint="{endpoint}":{BUCKET}/p'
    return {
        OURS: [sys.executable, "-m", "bench.upload", "--send", endpoint, str(files), "auto"],
        OURS_READ_BACK: [sys.executable, "-m", "bench.upload", "--send", endpoint, str(files), "always"],
        "rclone copy": [_beside_python("rclone"), "copy", "--config", "", str(files), remote],
        "s5cmd cp": [
            _beside_python("s5cmd"),
            "--endpoint-url",
            endpoint,
            "cp",
            f"{files}/",
            f"s3://{BUCKET}/p/",
        ],
        "aws s3 sync": [
            aws,
            "--endpoint-url",
            endpoint,
            "s3",
            "sync",
            "--quiet",
            str(files),
            f"s3://{BUCKET}/p/",
        ],
    }[name]


def _environment() -> dict[str, str]:
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**os.environ, **region, "AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1]}


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).with_name(program))


def _write_files(folder: Path, small: int, large: int) -> None:
    folder.mkdir()
    for number in range(small):
        Path(folder, f"S{number}_S{number}_R1_001.fastq.gz").write_bytes(os.urandom(1_000_000))
    for number in range(large):
        Path(folder, f"L{number}_S{number}_R1_001.fastq.gz").write_bytes(os.urandom(64 << 20))


@contextmanager
def _server(root: Path) -> Iterator[str]:
    """An empty S3 server of this machine; yields its address."""
    shutil.rmtree(root, ignore_errors=True)
    Path(root, BUCKET).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    rclone = [_beside_python("rclone"), "serve", "s3", "--config", "", "--addr", address]
    server = subprocess.Popen([*rclone, "--auth-key", ",".join(KEYS), str(root)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(address)
        yield f"http://{address}"
    finally:
        server.kill()
        server.wait()


def _wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((host, int(port))):
            return
        time.sleep(0.02)
    raise SystemExit("rclone does not answer.")


def _send(endpoint: str, folder: str, read_back: str) -> None:
    """Upload as SeqAuto does, and print the seconds that it took."""
    import hashlib
    from datetime import UTC, date, datetime

    import boto3
    import xxhash
    from botocore.config import Config

    from sequencing.s3 import Options, Outgoing, ProjectRun, client_settings, upload_project

    files = []
    for path in sorted(Path(folder).iterdir()):
        status, content = path.stat(), path.read_bytes()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        xxh3 = xxhash.xxh3_128(content).hexdigest()
        files.append(Outgoing(path, path.name, status.st_size, status.st_mtime_ns, md5, xxh3))
    boto3.client("s3", endpoint_url=endpoint)  # reads what is known of S3's calls
    begun = time.perf_counter()
    options = Options(read_back="always" if read_back == "always" else "auto")
    client = boto3.client("s3", endpoint_url=endpoint, config=Config(**client_settings(options)))
    run = ProjectRun("BENCH", "M00879", 31, "000000000-A69NA", date(2014, 2, 10))
    upload_project(client, BUCKET, "p", run, files, options, now=datetime.now(UTC))
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main()
