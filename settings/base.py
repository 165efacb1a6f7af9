"""What all environments share. Every setting that begins with SEQAUTO_, and UPLOAD_ENABLED, can be given
in the environment under the same name; docs/configuration.md lists them all.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url

from . import environment
from .log import logging_for

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The lab -------------------------------------------------------------------------------------------

#: All local state of the embedded default: database, broker, secret key, scan lists, demo archive.
SEQAUTO_VAR_DIR = environment.folder("SEQAUTO_VAR_DIR", BASE_DIR / "var")

#: Its part `deliveries/` holds the delivery log and what converters said.
LOGGING = logging_for(SEQAUTO_VAR_DIR)

#: The master switch: without it neither button, task nor command scans.
SEQAUTO_ENABLED = environment.flag("SEQAUTO_ENABLED", True)

#: Scheduled disk scans; they need SEQAUTO_ENABLED and UPLOAD_ENABLED as well.
SEQAUTO_SCAN_DISKS = environment.flag("SEQAUTO_SCAN_DISKS", True)

#: Whether this server takes in data at all; off on a read-only copy of the site.
UPLOAD_ENABLED = environment.flag("UPLOAD_ENABLED", True)

#: The archive disks to scan, separated by colons. Each is read, never written to.
SEQAUTO_SCAN_ROOTS: list[Path] = environment.folders("SEQAUTO_SCAN_ROOTS")

#: Where `manage.py make_demo` writes its archive; None outside of `make run` and tests: no demo on a server.
SEQAUTO_DEMO_ARCHIVE: Path | None = None

#: Where `manage.py make_demo` writes a run that is delivered; as above, None on a server.
SEQAUTO_DEMO_DELIVERY: Path | None = None

#: Where every scan keeps its file lists, one folder a scan.
SEQAUTO_SCAN_RESOURCES_DIR = environment.folder("SEQAUTO_SCAN_RESOURCES_DIR", SEQAUTO_VAR_DIR / "scans")

#: Times of the daily scans in the lab's time zone. They only make the schedule; after that it is edited in
#: the admin.
SEQAUTO_SCAN_TIMES: list[str] = environment.words("SEQAUTO_SCAN_TIMES", "06:00,19:00")

# --- What a scan reads ---------------------------------------------------------------------------------

#: A file of this name in a group folder skips all runs under it, in a run folder that run.
SEQAUTO_SKIP_MARKER = environment.text("SEQAUTO_SKIP_MARKER", ".variantgrid_skip_flowcell")

#: Regular expressions, searched in a run folder's path relative to its root; a run that matches is skipped.
SEQAUTO_SKIP_PATTERNS: list[str] = environment.json_list("SEQAUTO_SKIP_PATTERNS", [])

#: A sample whose id matches is a control: its files are not expected. The default takes NTC, NC, NTC-1,
#: blank_2, water, negative-control, NegCtrl3; which names a lab uses is its own affair, so look at this one
#: first.
SEQAUTO_CONTROL_SAMPLE_PATTERN = environment.text(
    "SEQAUTO_CONTROL_SAMPLE_PATTERN",
    r"(?i)^(ntc|nc|neg|blank|water|h2o|(no[_-]?template|neg(ative)?)[_-]?(control|ctrl))([_-]?\d*)$",
)

#: Which further columns of a sample sheet are kept with each sample; ["*"] keeps all.
SEQAUTO_EXTRA_SHEET_COLUMNS: list[str] = environment.json_list("SEQAUTO_EXTRA_SHEET_COLUMNS", [])

#: Where this lab keeps FASTQs inside a run, such as ["reads/{project}/{sample_id}.{read}.fastq.gz"]; asked
#: before the known layouts. Folders alone need no pattern: they are learnt from the files found.
SEQAUTO_FASTQ_PATTERNS: list[str] = environment.json_list("SEQAUTO_FASTQ_PATTERNS", [])

#: Markers that say "this instrument has finished", by instrument model, where the lab's instruments differ
#: from the built-in table: {"MiSeq": ["RTAComplete.txt"]}.
SEQAUTO_MARKERS: dict[str, list[str]] = environment.json_object("SEQAUTO_MARKERS")

#: The lab's own find scripts, by file type: {"fastq": "/opt/lab/find_fastqs.sh"}. A script's output replaces
#: the walk.
SEQAUTO_FIND_SCRIPTS: dict[str, str] = environment.json_object("SEQAUTO_FIND_SCRIPTS")

#: Threads that walk one root. One is right for local disks; a slow network disk gains from 16.
SEQAUTO_WALK_THREADS = environment.integer("SEQAUTO_WALK_THREADS", 1)

# --- How a scan protects itself ------------------------------------------------------------------------

#: A root that has lost more than this share of its known files stops the scan: more likely unmounted than
#: emptied.
SEQAUTO_MAX_LOST_SHARE = environment.share("SEQAUTO_MAX_LOST_SHARE", 0.5)

#: A scan that gives no sign of life for so long counts as dead. With beat's look every half minute, a killed
#: scan shows as Error within two minutes.
SEQAUTO_LEASE_SECONDS = environment.integer("SEQAUTO_LEASE_SECONDS", 60)

#: How often a scan gives a sign of life; well below the lease, or a busy machine loses it.
SEQAUTO_HEARTBEAT_SECONDS = environment.integer("SEQAUTO_HEARTBEAT_SECONDS", 15)

#: File lists are kept for so many scans; those of older ones are removed.
SEQAUTO_KEEP_SCAN_LISTS = environment.integer("SEQAUTO_KEEP_SCAN_LISTS", 30)

#: The stage "Scripts and Jobs"; off, it is shown as skipped.
SEQAUTO_SCRIPTS_AND_JOBS_ENABLED = environment.flag("SEQAUTO_SCRIPTS_AND_JOBS_ENABLED", False)

# --- Deliveries ----------------------------------------------------------------------------------------

#: The disks that instruments write to, separated by colons; without one nothing is delivered.
SEQAUTO_INCOMING_DIRS: list[Path] = environment.folders("SEQAUTO_INCOMING_DIRS")

#: Where verified copies of raw runs go, and where FASTQs are made. Neither lies in an incoming folder.
SEQAUTO_BACKUP_DIR: Path | None = environment.folder_or_none("SEQAUTO_BACKUP_DIR")
SEQAUTO_FASTQ_DIR: Path | None = environment.folder_or_none("SEQAUTO_FASTQ_DIR")

#: Where delivered FASTQs go: s3://bucket/prefix/project/instrument_run number/
SEQAUTO_S3_FASTQ_BUCKET = environment.text("SEQAUTO_S3_FASTQ_BUCKET", "")
SEQAUTO_S3_FASTQ_PREFIX = environment.text("SEQAUTO_S3_FASTQ_PREFIX", "")

#: The delivery log is copied to s3://bucket/key; off while no bucket is named.
SEQAUTO_S3_LOG_BUCKET = environment.text("SEQAUTO_S3_LOG_BUCKET", "")
SEQAUTO_S3_LOG_KEY = environment.text("SEQAUTO_S3_LOG_KEY", "seqauto/delivery.log")

#: While the log grows, it is copied there at most once in so many seconds.
SEQAUTO_S3_LOG_SECONDS = environment.integer("SEQAUTO_S3_LOG_SECONDS", 60)

#: What follows an upload, by project code: {"Exome": {"batch": {"job_queue": "…", "job_definition": "…"}}}
SEQAUTO_AFTER_UPLOAD: dict[str, Any] = environment.json_object("SEQAUTO_AFTER_UPLOAD")

#: An S3-compatible server in place of AWS; the profile of ~/.aws; the account that must own the buckets.
SEQAUTO_S3_ENDPOINT_URL = environment.text("SEQAUTO_S3_ENDPOINT_URL", "")
SEQAUTO_S3_PROFILE = environment.text("SEQAUTO_S3_PROFILE", "")
SEQAUTO_S3_BUCKET_OWNER = environment.text("SEQAUTO_S3_BUCKET_OWNER", "")
SEQAUTO_S3_STORAGE_CLASS = environment.text("SEQAUTO_S3_STORAGE_CLASS", "")
SEQAUTO_S3_ACL = environment.text("SEQAUTO_S3_ACL", "")

#: "when_supported" lets AWS check what arrives; "when_required" is for servers that refuse new checksums.
SEQAUTO_S3_CHECKSUMS = environment.choice(
    "SEQAUTO_S3_CHECKSUMS", "when_supported", ("when_supported", "when_required")
)

#: The project folder in S3 of samples for which the sheet names none.
SEQAUTO_NO_PROJECT = environment.text("SEQAUTO_NO_PROJECT", "no_project")

#: How often incoming folders are looked at, and how far apart two equal listings must be.
SEQAUTO_WATCH_SECONDS = environment.integer("SEQAUTO_WATCH_SECONDS", 60)
SEQAUTO_SETTLE_SECONDS = environment.integer("SEQAUTO_SETTLE_SECONDS", 300, least=0)

#: A settled or delivered run is listed again so often: a file that changed late reopens it.
SEQAUTO_RELIST_SECONDS = environment.integer("SEQAUTO_RELIST_SECONDS", 3600, least=0)

#: A run that has written no new cycle for so many hours counts as stalled.
SEQAUTO_STALL_HOURS = environment.integer("SEQAUTO_STALL_HOURS", 6)

#: How many steps of deliveries work at once, and which run comes first.
SEQAUTO_DELIVERY_PARALLEL = environment.integer("SEQAUTO_DELIVERY_PARALLEL", 2)
SEQAUTO_DELIVERY_ORDER = environment.choice(
    "SEQAUTO_DELIVERY_ORDER", "oldest_first", ("oldest_first", "newest_first")
)

#: The hash of backups: xxh3_128 (fast) or sha256.
SEQAUTO_BACKUP_HASH = environment.choice("SEQAUTO_BACKUP_HASH", "xxh3_128", ("xxh3_128", "sha256"))

#: Converters in order of preference, and where they lie if not on the PATH: {"bcl-convert": "/opt/…"}.
SEQAUTO_CONVERTERS: list[str] = environment.words("SEQAUTO_CONVERTERS", "bcl-convert,bcl2fastq,picard")
SEQAUTO_CONVERTER_PROGRAMS: dict[str, str] = environment.json_object("SEQAUTO_CONVERTER_PROGRAMS")

#: What a conversion may use, and when it is ended: hours in all, and minutes without any sign of progress.
SEQAUTO_CONVERTER_THREADS = environment.integer("SEQAUTO_CONVERTER_THREADS", 2)
SEQAUTO_CONVERTER_MEMORY_MB = environment.integer("SEQAUTO_CONVERTER_MEMORY_MB", 2000)
SEQAUTO_CONVERTER_HOURS = environment.integer("SEQAUTO_CONVERTER_HOURS", 24)
SEQAUTO_CONVERTER_SILENCE_MINUTES = environment.integer("SEQAUTO_CONVERTER_SILENCE_MINUTES", 120)

# --- Proofs and disks ----------------------------------------------------------------------------------

#: Backups, and objects in S3 where no checksum proves them, are read again at this pace; 0: never.
SEQAUTO_PROVE_GB_A_DAY = environment.integer("SEQAUTO_PROVE_GB_A_DAY", 500, least=0)

#: Each copy is proven again every so many days, as far as the pace allows.
SEQAUTO_PROVE_EVERY_DAYS = environment.integer("SEQAUTO_PROVE_EVERY_DAYS", 7)

#: Which objects are read back: "auto", where no checksum proves them; "always"; "never".
SEQAUTO_PROVE_S3_READ_BACK = environment.choice(
    "SEQAUTO_PROVE_S3_READ_BACK", "auto", ("auto", "always", "never")
)

#: A disk with less free than this share in percent, or than so many gigabytes (0: not asked), is low.
SEQAUTO_LOW_SPACE_PERCENT = environment.integer("SEQAUTO_LOW_SPACE_PERCENT", 10, least=0)
SEQAUTO_LOW_SPACE_GB = environment.integer("SEQAUTO_LOW_SPACE_GB", 0, least=0)

# --- Clean-up ------------------------------------------------------------------------------------------

#: Clean-up by itself, once an hour; `manage.py clean_up_runs` and the page work without.
SEQAUTO_CLEAN_UP_ENABLED = environment.flag("SEQAUTO_CLEAN_UP_ENABLED", False)

#: What each target's rule has otherwise than the default, by source, fastqs and backup:
#: {"source": {"days": 42, "proof_days": 30}, "fastqs": {"enabled": false}, "backup": {"enabled": true}}
SEQAUTO_CLEAN_UP_RULES: dict[str, dict[str, Any]] = environment.json_object("SEQAUTO_CLEAN_UP_RULES")

#: Whether a second person must approve what is to be removed.
SEQAUTO_CLEAN_UP_APPROVAL = environment.flag("SEQAUTO_CLEAN_UP_APPROVAL", False)

#: Whether a backup may go although it is the last copy of the base calls, its FASTQs being in S3.
SEQAUTO_CLEAN_UP_FASTQS_SUFFICE = environment.flag("SEQAUTO_CLEAN_UP_FASTQS_SUFFICE", False)

#: How long a folder stays in quarantine, from where it can be put back, before it is removed for ever.
SEQAUTO_CLEAN_UP_GRACE_HOURS = environment.integer("SEQAUTO_CLEAN_UP_GRACE_HOURS", 24, least=0)

#: What may go in any 24 hours; beyond that it stops for a person.
SEQAUTO_CLEAN_UP_MOST_RUNS = environment.integer("SEQAUTO_CLEAN_UP_MOST_RUNS", 5)
SEQAUTO_CLEAN_UP_MOST_GB = environment.integer("SEQAUTO_CLEAN_UP_MOST_GB", 2000)

# --- The site ------------------------------------------------------------------------------------------

#: The zone of every time shown and of the scan times. UTC until the lab names its own: a wrong zone misleads,
#: UTC only needs adding. The database always holds UTC.
TIME_ZONE = environment.text("TIME_ZONE", "UTC")
USE_TZ = True
LANGUAGE_CODE = "en-gb"
USE_I18N = False

#: Links to the lab's other systems on each run's page: {"LIMS": "https://lims.lab.example/runs/{experiment}"}
SEQAUTO_RUN_LINKS: dict[str, str] = environment.json_object("SEQAUTO_RUN_LINKS")

#: Full origins, such as https://seqauto.lab.example, where a proxy in front serves another name or scheme.
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")

ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "seqauto.admin_site.AuditedConfig",  # Django's admin, which writes to the audit
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "django_tables2",
    "django_filters",
    "django_htmx",
    "csp",
    "axes",
    "seqauto",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

#: After so many wrong passwords for one name from one address, that pair waits for so many minutes.
SEQAUTO_LOGIN_TRIES = environment.integer("SEQAUTO_LOGIN_TRIES", 5)
SEQAUTO_LOGIN_PAUSE_MINUTES = environment.integer("SEQAUTO_LOGIN_PAUSE_MINUTES", 5)

# A name alone must not be locked: anybody could then keep a colleague out.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = SEQAUTO_LOGIN_TRIES
AXES_COOLOFF_TIME = timedelta(minutes=SEQAUTO_LOGIN_PAUSE_MINUTES)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/login_pause.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served straight from the source folders, so that nothing need be collected before the first start.
WHITENOISE_USE_FINDERS = True

DJANGO_TABLES2_TEMPLATE = "django_tables2/bootstrap5-responsive.html"

# Ids from sample sheets are hostile until checked: were one ever to reach a page unescaped, the browser would
# still run nothing, nor let it dress up the page. Bootstrap draws small pictures as data URLs.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"

# --- Database ------------------------------------------------------------------------------------------

# IMMEDIATE takes the write lock when a transaction begins: a transaction that reads first and writes later
# would otherwise fail at once, without waiting, when another has written in between. WAL lets pages be read
# during a scan.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database(url: str) -> dict[str, Any]:
    """Django's DATABASES entry of a database URL."""
    # A parsed connection that is kept open is asked whether it still lives, so that a restarted server does
    # no harm.
    config = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = SQLITE_OPTIONS
    return config


# --- Queue ---------------------------------------------------------------------------------------------

SEQAUTO_QUEUE = "seqauto_single_worker"
CELERY_TASK_DEFAULT_QUEUE = SEQAUTO_QUEUE
SEQAUTO_DELIVERY_QUEUE = "seqauto_delivery"
CELERY_TASK_ROUTES = {
    "seqauto.tasks.scan_run_jobs.*": {"queue": SEQAUTO_QUEUE},
    "seqauto.tasks.deliveries.*": {"queue": SEQAUTO_DELIVERY_QUEUE},
    "seqauto.tasks.clean_up.*": {"queue": SEQAUTO_DELIVERY_QUEUE},
    "seqauto.tasks.proving.*": {"queue": SEQAUTO_DELIVERY_QUEUE},
}
CELERY_IMPORTS = [
    "seqauto.tasks.scan_run_jobs",
    "seqauto.tasks.deliveries",
    "seqauto.tasks.proving",
    "seqauto.tasks.clean_up",
    "seqauto.tasks.heartbeats",
]

# A task is taken from the queue only when done, one at a time. A worker that dies does not get its task back
# by itself: the expired lease says what died, and a task that kills workers cannot go round in a loop.
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_IGNORE_RESULT = True

# A lost connection must not end a scan that is writing: the lease makes a second delivery harmless.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A person waits for the button: after about two seconds without a broker the page says so.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.5}

CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = TIME_ZONE
# django-celery-beat's, which besides writes down that it ticks.
CELERY_BEAT_SCHEDULER = "seqauto.tasks.beat:Scheduler"
# Ends what a dead worker left, and starts a waiting scan whose message was lost; useless when late.
CELERY_BEAT_SCHEDULE = {
    "Look after scans": {
        "task": "seqauto.tasks.scan_run_jobs.tick",
        "schedule": 30,
        "options": {"expires": 600, "queue": SEQAUTO_QUEUE},
    },
    "Look after deliveries": {
        "task": "seqauto.tasks.deliveries.look_after_deliveries",
        "schedule": SEQAUTO_WATCH_SECONDS,
        "options": {"expires": 600, "queue": SEQAUTO_DELIVERY_QUEUE},
    },
    "Prove copies again": {
        "task": "seqauto.tasks.proving.prove_copies",
        "schedule": 600,
        "options": {"expires": 600, "queue": SEQAUTO_DELIVERY_QUEUE},
    },
}
if SEQAUTO_CLEAN_UP_ENABLED:
    CELERY_BEAT_SCHEDULE["Clean up runs"] = {
        "task": "seqauto.tasks.clean_up.clean_up_runs",
        "schedule": 3600,
        "options": {"expires": 3000, "queue": SEQAUTO_DELIVERY_QUEUE},
    }
# Log lines of tasks go through Django's LOGGING, where names from disks are made inert.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False


def broker_options(url: str) -> dict[str, Any]:
    """Transport options of a broker URL."""
    if url.startswith(("redis", "sentinel")):
        # Redis gives an unfinished task to another worker after this time: a day is longer than any scan.
        return {"visibility_timeout": 86_400, "socket_connect_timeout": 2}
    return {}
