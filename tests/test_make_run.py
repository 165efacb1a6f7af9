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
        assert f". {var / 'demo.env'}" in text
        assert (var / "demo.env").stat().st_mode & 0o777 == 0o600
        assert asked_from_another_shell(var) == "fastqs"
    finally:
        os.killpg(site.pid, number)
        site.communicate(timeout=60)
    assert site.returncode == 0
    assert processes_with(var) == []
    assert not (var / "demo.env").exists()


def asked_from_another_shell(var: Path) -> str:
    """The demo's bucket, from its S3 server, as a command by hand finds it."""
    code = (
        "from seqauto.s3_clients import s3_client; from seqauto.delivery_rules import rules_of_settings; "
        "rules = rules_of_settings().s3; s3_client(rules).head_bucket(Bucket=rules.bucket); "
        "print(rules.bucket)"
    )
    command = f'. {var / "demo.env"} && exec "$0" manage.py shell --verbosity 0 -c "$1"'
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    asked = subprocess.run(
        ["sh", "-c", command, sys.executable, code],
        env=kept, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return asked.stdout.strip().splitlines()[-1] if asked.stdout else asked.stderr


@pytest.mark.parametrize("command", ["scripts/run.py", "manage.py"])
def test_a_setting_of_the_wrong_form_is_told_in_one_sentence(var, command):
    environment = {**os.environ, "SEQAUTO_VAR_DIR": str(var), "SEQAUTO_CLEAN_UP_GRACE_HOURS": "0.5"}
    told = subprocess.run(
        [sys.executable, ROOT / command, "check"],
        env={**environment, "PORT": str(free_port())}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert "SEQAUTO_CLEAN_UP_GRACE_HOURS" in told.stderr
    assert "whole number" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_taken_port_is_named_with_the_way_out(var):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text, _ = start(var, port).communicate(timeout=60)
    assert f"Port {port} cannot be used" in text
    assert "PORT=8001 make run" in text
