"""For tests: state in a temporary folder, nothing of a running site is touched.

TEST_DATABASE_URL, or else DATABASE_URL, names another database server than SQLite.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

from . import environment
from .base import *
from .base import broker_options, database
from .log import logging_for

DEBUG = False
SECRET_KEY = "of no worth: for tests only"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Quick, not safe.

# A child process of a test is told its parent's folder, and does not remove it.
SEQAUTO_VAR_DIR = environment.folder("SEQAUTO_VAR_DIR", Path("/nonexistent"))
if not SEQAUTO_VAR_DIR.exists():
    SEQAUTO_VAR_DIR = Path(tempfile.mkdtemp(prefix="seqauto-tests-"))
    atexit.register(shutil.rmtree, SEQAUTO_VAR_DIR, ignore_errors=True)
SEQAUTO_DEMO_ARCHIVE = SEQAUTO_VAR_DIR / "demo_archive"
SEQAUTO_DEMO_DELIVERY = SEQAUTO_VAR_DIR / "demo_delivery"
SEQAUTO_SCAN_RESOURCES_DIR = SEQAUTO_VAR_DIR / "scans"
LOGGING = logging_for(SEQAUTO_VAR_DIR)

_url = environment.text("TEST_DATABASE_URL", "") or environment.text(
    "DATABASE_URL", f"sqlite:///{SEQAUTO_VAR_DIR / 'seqauto.sqlite3'}"
)
DATABASES = {"default": database(_url)}
if _url.startswith("sqlite"):
    # A file, not memory: threads and child processes share it, and wait for its locks as they do in the lab.
    DATABASES["default"]["TEST"] = {"NAME": str(SEQAUTO_VAR_DIR / "test.sqlite3")}

CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", "memory://")
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(CELERY_BROKER_URL)
