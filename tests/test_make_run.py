"""`make run`, behind make: everything starts, says where it is, and ends without a trace."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from settings.local import broker_socket

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(var: Path, port: int) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "run.py")],
        env={**kept, "SEQAUTO_VAR_DIR": str(var), "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def lines_until(process: subprocess.Popen[str], text: str) -> str:
    """What the process prints up to a line with `text`, or to its end."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            break
    return "".join(lines)


def processes_with(var: Path) -> list[str]:
    """Command lines of all processes whose state lies under `var`."""
    mark, socket_name = f"SEQAUTO_VAR_DIR={var}".encode(), str(broker_socket(var))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            # Valkey writes its title, with the socket, over its environment.
            if mark in (process / "environ").read_bytes().split(b"\0") or socket_name in command:
                found.append(command)
        except OSError:
            continue
    return found


@pytest.fixture
def var(tmp_path) -> Path:
    if not Path("/proc/self/environ").exists():
        pytest.skip("looks for processes left over in /proc, which only Linux has")
    return tmp_path / "var"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "closed-terminal"])
def test_everything_starts_says_where_it_is_and_ends_without_a_trace(var, number):
    port = free_port()
    site = start(var, port)
    try:
        text = lines_until(site, "Ctrl-C stops it")
        assert f"SeqAuto is at http://127.0.0.1:{port}/" in text
        assert f"Log in as demo, password {(var / 'demo_password').read_text()}" in text
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert "/accounts/login/" in answer.url
        running = " ".join(processes_with(var))
        needed = ("gunicorn", "valkey-server", "seqauto_single_worker", "seqauto_delivery", "beat", "rclone")
        assert all(name in running for name in needed)
        assert "A demo run is being delivered" in text
        assert list((var / "demo_archive").iterdir())
    finally:
        os.killpg(site.pid, number)
        site.communicate(timeout=60)
    assert site.returncode == 0
    assert processes_with(var) == []


def test_a_taken_port_is_named_with_the_way_out(var):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text, _ = start(var, port).communicate(timeout=60)
    assert f"Port {port} cannot be used" in text
    assert "PORT=8001 make run" in text
