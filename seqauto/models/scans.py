"""Disk scans, the lease that lets only one work at a time, archive roots, and messages."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone


class ScanStatus(models.TextChoices):
    CREATED = "created", "Created"
    SCANNING_FILES = "scanning_files", "Scanning Files"
    CREATE_MODELS = "create_models", "Create Models"
    SCRIPTS_AND_JOBS = "scripts_and_jobs", "Scripts and Jobs"
    FINISHED = "finished", "Finished"
    ERROR = "error", "Error"


class ScanSource(models.TextChoices):
    BUTTON = "button", "button"
    SCHEDULE = "schedule", "schedule"
    COMMAND_LINE = "command_line", "command line"


class ScanQuerySet(models.QuerySet["Scan"]):
    def running(self) -> "ScanQuerySet":
        return self.filter(is_running=True)

    def waiting(self) -> "ScanQuerySet":
        return self.filter(status=ScanStatus.CREATED)

    def newest_first(self) -> "ScanQuerySet":
        return self.order_by("-pk")


class Scan(models.Model):
    """One look at the archive disks. People see it as "SeqAuto Run <number>"."""

    Status = ScanStatus
    Source = ScanSource

    status = models.CharField(max_length=20, choices=ScanStatus, default=ScanStatus.CREATED, db_index=True)
    is_running = models.BooleanField(default=False, editable=False)
    source = models.CharField(max_length=20, choices=ScanSource)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    task_id = models.CharField("task ID", max_length=64, blank=True)
    slot = models.CharField(
        max_length=40,
        unique=True,
        null=True,
        blank=True,
        help_text="The scheduled time that this scan fills.",
    )
    worker = models.CharField(max_length=255, blank=True, help_text="Host and process.")
    options = models.JSONField(default=dict, blank=True)
    reused_scan = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")

    created_at = models.DateTimeField(default=timezone.now)
    scanning_files_at = models.DateTimeField(null=True, blank=True)
    create_models_at = models.DateTimeField(null=True, blank=True)
    scripts_and_jobs_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error_at = models.DateTimeField(null=True, blank=True)

    # Progress of the stage in hand, written about once a second.
    runs_done = models.PositiveIntegerField(default=0)
    runs_total = models.PositiveIntegerField(null=True, blank=True)
    files_seen = models.PositiveBigIntegerField(default=0)
    progress_at = models.DateTimeField(null=True, blank=True)

    # What it found and changed.
    runs_found = models.PositiveIntegerField(null=True, blank=True)
    runs_changed = models.PositiveIntegerField(default=0)
    runs_skipped = models.PositiveIntegerField(default=0)
    files_appeared = models.PositiveIntegerField(default=0)
    files_vanished = models.PositiveIntegerField(default=0)
    files_changed = models.PositiveIntegerField(default=0)
    files_by_state = models.JSONField(
        null=True, blank=True, help_text="Files of the whole archive when it ended, by type and data state."
    )

    error = models.TextField(blank=True, help_text="One sentence for people.")
    remedy = models.TextField(blank=True, help_text="What to try.")
    traceback = models.TextField(blank=True)

    objects = ScanQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [("seqauto_scan_initiate", "Can start a disk scan")]
        constraints = [
            models.UniqueConstraint(
                fields=["is_running"], condition=Q(is_running=True), name="one_scan_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"SeqAuto Run {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("scan", args=[self.pk])

    @property
    def started_at(self) -> datetime | None:
        """When it began to work (a scan from earlier lists skips Scanning Files)."""
        return self.scanning_files_at or self.create_models_at

    @property
    def ended_at(self) -> datetime | None:
        return self.finished_at or self.error_at

    @property
    def duration(self) -> timedelta | None:
        """From start to end, or so far."""
        if self.started_at is None:
            return None
        return (self.ended_at or timezone.now()) - self.started_at

    @property
    def stage_times(self) -> dict[str, timedelta]:
        """How long each stage took, or has taken so far, in order."""
        stages = {
            ScanStatus.SCANNING_FILES: self.scanning_files_at,
            ScanStatus.CREATE_MODELS: self.create_models_at,
            ScanStatus.SCRIPTS_AND_JOBS: self.scripts_and_jobs_at,
        }
        begun = [(stage.label, at) for stage, at in stages.items() if at]
        ends = [at for _stage, at in begun[1:]] + [self.ended_at or timezone.now()]
        # A scan that waits has an end so far and no stage yet.
        return {stage: end - at for (stage, at), end in zip(begun, ends, strict=False)}

    @property
    def started_by_name(self) -> str:
        return str(self.started_by) if self.started_by else self.get_source_display()

    def messages(self) -> "MessageQuerySet":
        """What was open when this scan ended, and what it closed."""
        begin, end = self.started_at or self.created_at, self.ended_at or timezone.now()
        was_open = Q(closed_at=None) | Q(closed_at__gte=begin)
        return Message.objects.filter(was_open, opened_at__lte=end)


class ScanLease(models.Model):
    """A single row. Whoever holds its unexpired token may scan; every write checks the token again."""

    token = models.UUIDField(null=True)
    scan = models.ForeignKey(Scan, models.SET_NULL, null=True, related_name="+")
    holder = models.CharField(max_length=255, blank=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="only_one_lease")]

    def __str__(self) -> str:
        return f"held by {self.holder}" if self.token else "free"


class ScanRoot(models.Model):
    """What an archive root looked like when it was last scanned well; a stranger in its place is noticed."""

    path = models.CharField(max_length=500, unique=True)
    device = models.BigIntegerField(help_text="st_dev of the folder.")
    has_sentinel = models.BooleanField(default=False, help_text="It held a file .seqauto_root.")
    scan = models.ForeignKey(Scan, models.SET_NULL, null=True, related_name="+")
    scanned_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path


class Severity(models.TextChoices):
    ERROR = "error", "Error"
    WARNING = "warning", "Warning"
    INFO = "info", "Information"


class MessageQuerySet(models.QuerySet["Message"]):
    def open(self) -> "MessageQuerySet":
        return self.filter(closed_at=None)


class Message(models.Model):
    """Something a person should know: open until a scan finds it gone."""

    scan = models.ForeignKey(
        Scan,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="opened_messages",
        help_text="That found it.",
    )
    run = models.ForeignKey("SequencingRun", models.CASCADE, null=True, blank=True, related_name="messages")
    severity = models.CharField(max_length=10, choices=Severity)
    code = models.CharField(max_length=60)
    text = models.TextField()
    remedy = models.TextField(blank=True)
    place = models.CharField(max_length=255, blank=True, help_text="File, row and column.")
    key = models.CharField(max_length=64, editable=False, help_text="Same key: same thing, said once.")
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_scan = models.ForeignKey(Scan, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "key"], condition=Q(closed_at=None, run__isnull=False), name="run_message_once"
            ),
            models.UniqueConstraint(
                fields=["key"], condition=Q(closed_at=None, run=None), name="scan_message_once"
            ),
        ]
        indexes = [
            models.Index(fields=["code"], condition=Q(closed_at=None), name="message_is_open"),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
