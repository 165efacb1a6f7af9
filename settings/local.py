"""For `make run`: one machine, nothing to install or to set up; all state lies under SEQAUTO_VAR_DIR."""

import hashlib
import os
import tempfile
from pathlib import Path

from django.core.management.utils import get_random_secret_key

from . import environment
from .base import *
from .base import SEQAUTO_SCAN_ROOTS, SEQAUTO_VAR_DIR, broker_options, database


def kept_secret_key(path: Path) -> str:
    """The key in `path`; where there is none, a new one is made, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=path.parent)
        os.write(descriptor, get_random_secret_key().encode())
        os.close(descriptor)
        try:
            os.link(draft, path)  # Fails where another process was quicker: its key is then used.
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text()


def broker_socket(var: Path) -> Path:
    """Where the embedded broker listens: under `var`, or the temp folder where that path is too long."""
    socket = var / "broker" / "broker.sock"
    if len(os.fsencode(socket)) < 100:  # Unix allows 108 bytes on Linux and 104 on macOS.
        return socket
    mark = hashlib.sha256(os.fsencode(var)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"seqauto-{os.getuid()}-{mark}" / "broker.sock"


DEBUG = False
SECRET_KEY = environment.text("SECRET_KEY", "") or kept_secret_key(SEQAUTO_VAR_DIR / "secret_key")
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
DATABASES = {
    "default": database(environment.text("DATABASE_URL", f"sqlite:///{SEQAUTO_VAR_DIR / 'seqauto.sqlite3'}"))
}

# Scanned where the lab has named no archive. `make run` delivers a demo run besides, by its environment: a
# command that somebody gives by hand must never find the demo's folders and bucket in place of the lab's.
SEQAUTO_DEMO_ARCHIVE = SEQAUTO_VAR_DIR / "demo_archive"
SEQAUTO_DEMO_DELIVERY = SEQAUTO_VAR_DIR / "demo_delivery"
_demo = [SEQAUTO_DEMO_ARCHIVE, SEQAUTO_DEMO_DELIVERY / "fastqs"]
SEQAUTO_SCAN_ROOTS = SEQAUTO_SCAN_ROOTS or [_demo[0], *filter(Path.exists, _demo[1:])]

EMBEDDED_BROKER_SOCKET = broker_socket(SEQAUTO_VAR_DIR)
CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", f"redis+socket://{EMBEDDED_BROKER_SOCKET}")
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(CELERY_BROKER_URL)
