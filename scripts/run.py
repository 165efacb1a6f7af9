"""`make run`: database, demo, then all processes of the Procfile, until Ctrl-C."""

import contextlib
import io
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.local")


def demo() -> dict[str, str]:
    """The environment of the demo, where the lab has named no folders of its own."""
    if os.environ.get("SEQAUTO_SCAN_ROOTS") or os.environ.get("SEQAUTO_INCOMING_DIRS"):
        return {}
    var = Path(os.environ.get("SEQAUTO_VAR_DIR") or ROOT / "var").absolute()
    delivery = var / "demo_delivery"
    return {
        "SEQAUTO_SCAN_ROOTS": f"{var / 'demo_archive'}:{delivery / 'fastqs'}",
        "SEQAUTO_INCOMING_DIRS": str(delivery / "incoming"),
        "SEQAUTO_BACKUP_DIR": str(delivery / "backup"),
        "SEQAUTO_FASTQ_DIR": str(delivery / "fastqs"),
        "SEQAUTO_S3_FASTQ_BUCKET": "fastqs",
        "SEQAUTO_S3_FASTQ_PREFIX": "",
        "SEQAUTO_S3_CHECKSUMS": "when_required",
        # Nobody who looks at the demo wants to wait for minutes.
        "SEQAUTO_SETTLE_SECONDS": os.environ.get("SEQAUTO_SETTLE_SECONDS") or "5",
        "SEQAUTO_WATCH_SECONDS": os.environ.get("SEQAUTO_WATCH_SECONDS") or "5",
    }


os.environ.update(demo())

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

PORT = int(os.environ.get("PORT", "8000"))
STOPPED_BY_A_PERSON = (128 + signal.SIGINT, 128 + signal.SIGTERM)
URL = f"http://127.0.0.1:{PORT}/"


def refuse_taken_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError as error:
            sys.exit(f"Port {PORT} cannot be used ({error.strerror}). Choose another: PORT=8001 make run")


def processes() -> list[str]:
    """The names in the Procfile that are needed: broker and S3 only where the lab has named none."""
    needed = {
        "web": True,
        "broker": str(settings.EMBEDDED_BROKER_SOCKET) in settings.CELERY_BROKER_URL,
        "worker": True,
        "delivery": bool(settings.SEQAUTO_INCOMING_DIRS),
        "s3": needs_demo_s3(),
        "beat": True,
    }
    return [name for name, is_needed in needed.items() if is_needed]


def needs_demo_s3() -> bool:
    is_demo = settings.SEQAUTO_DEMO_DELIVERY / "incoming" in settings.SEQAUTO_INCOMING_DIRS
    return is_demo and not settings.SEQAUTO_S3_ENDPOINT_URL


def demo_s3() -> dict[str, str]:
    """What the demo's own S3 server and its users need to know; no real account's keys reach it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = secrets.token_hex(16)
    return {
        "DEMO_S3_PORT": str(port),
        "DEMO_S3_FOLDER": str(settings.SEQAUTO_DEMO_DELIVERY / "s3"),
        "RCLONE_AUTH_KEY": f'"demo-access-key,{secret}"',  # rclone reads it as a row of CSV
        "AWS_ACCESS_KEY_ID": "demo-access-key",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SEQAUTO_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


def demo_file() -> Path:
    return Path(settings.SEQAUTO_VAR_DIR) / "demo.env"


def write_demo_file(of_s3: dict[str, str]) -> None:
    """For a second shell: the demo's folders, bucket and keys, for as long as it runs.

    They are read on purpose only (`. var/demo.env`): a command never finds them in place of the lab's.
    """
    needed = {name: value for name, value in of_s3.items() if not name.startswith(("DEMO_", "RCLONE_"))}
    named = {name: value for name, value in os.environ.items() if name.startswith("SEQAUTO_")}
    named |= {"SEQAUTO_VAR_DIR": str(settings.SEQAUTO_VAR_DIR)} | needed
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in named.items()]
    demo_file().unlink(missing_ok=True)
    with open(os.open(demo_file(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.writelines(lines)


def web_answers() -> bool:
    try:
        with urllib.request.urlopen(URL + "accounts/login/", timeout=5):
            return True
    except OSError:
        return False


def worker_answers() -> bool:
    from settings.celery import app

    try:
        return bool(app.control.ping(timeout=1))
    except OSError:
        return False
    except app.connection_for_read().recoverable_connection_errors:
        return False


def say_when_ready(login: str, stopped: threading.Event) -> None:
    deadline = time.monotonic() + 60
    while not (web_answers() and worker_answers()) and time.monotonic() < deadline:
        if stopped.wait(0.2):
            return
    if stopped.wait(0.5):  # The last lines of the others' start come first.
        return
    commands = f"  For commands in another shell:  . {demo_file()}\n" if needs_demo_s3() else ""
    print(f"\n  SeqAuto is at {URL}\n{login}\n{commands}  Ctrl-C stops it.\n", flush=True)


def main() -> int:
    refuse_taken_port()
    os.chdir(ROOT)
    try:
        django.setup()
    except ImproperlyConfigured as wrong:  # a setting of the wrong form: its sentence says all
        sys.exit(str(wrong))
    call_command("migrate", verbosity=0)
    login = call_command("make_demo", stdout=io.StringIO())
    of_s3 = demo_s3() if needs_demo_s3() else {}
    if of_s3:
        write_demo_file(of_s3)
    # Ctrl-C reaches honcho by itself, which then ends its processes one by one; this process waits for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    honcho = subprocess.Popen(
        [sys.executable, "-m", "honcho", "--env", os.devnull, "start", *processes()],
        env={**os.environ, "PORT": str(PORT), **of_s3},
        preexec_fn=prepare_honcho,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: honcho.terminate())
    stopped = threading.Event()
    threading.Thread(target=say_when_ready, args=(login, stopped), daemon=True).start()
    pass_on(honcho)
    code = honcho.wait()
    stopped.set()
    demo_file().unlink(missing_ok=True)
    return 0 if code in STOPPED_BY_A_PERSON else code


def pass_on(honcho: subprocess.Popen[bytes]) -> None:
    """Print honcho's lines until it ends.

    Were honcho to write to a closed terminal itself, it would fail there and leave its processes behind.
    """
    for line in honcho.stdout or ():
        with contextlib.suppress(OSError):
            sys.stdout.buffer.write(line)
            sys.stdout.flush()


def prepare_honcho() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A closed terminal would end honcho at once, and leave its processes behind.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
