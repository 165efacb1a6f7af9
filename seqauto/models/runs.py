"""Sequencers, experiments and sequencing runs."""

from pathlib import Path

from django.db import models
from django.db.models import F, Q
from django.urls import reverse


class Sequencer(models.Model):
    serial = models.CharField("serial number", max_length=100, unique=True)
    model = models.CharField(max_length=100, blank=True, help_text="As told by the serial number's prefix.")

    class Meta:
        ordering = ["serial"]

    def __str__(self) -> str:
        return f"{self.serial} · {self.model}" if self.model else self.serial


class Experiment(models.Model):
    name = models.CharField(max_length=255, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RunState(models.TextChoices):
    """What one look at a run says. The files themselves carry a `DataState` each."""

    COMPLETE = "complete", "Complete"
    INCOMPLETE = "incomplete", "Files missing"
    RUNNING = "running", "Sequencing"
    NOTHING_EXPECTED = "nothing_expected", "Nothing expected"
    SKIPPED = "skipped", "Skipped"
    ERROR = "error", "Error"
    DELETED = "deleted", "Deleted"
    NOT_SCANNED = "not_scanned", "No longer scanned"


class SequencingRunQuerySet(models.QuerySet["SequencingRun"]):
    def newest_first(self) -> "SequencingRunQuerySet":
        return self.order_by(F("date").desc(nulls_last=True), "-name")

    def visible(self) -> "SequencingRunQuerySet":
        return self.filter(is_hidden=False)


class SequencingRun(models.Model):
    """A run folder on an archive disk, as the last scan that looked at it found it."""

    name = models.CharField(max_length=255, db_index=True, help_text="The run folder's own name.")
    root = models.CharField(max_length=500, help_text="The archive root that the folder lies under.")
    path = models.CharField(max_length=1000, unique=True, help_text="The run folder, in full.")
    group = models.CharField(
        max_length=500, blank=True, db_index=True, help_text="Folders between root and run: the kit."
    )
    # NULL, not "", for the second of two folders that claim one run: NULLs are never equal.
    identity = models.CharField(  # noqa: DJ001
        max_length=255, unique=True, null=True, editable=False, help_text="Instrument, number and flow cell."
    )
    sequencer = models.ForeignKey(Sequencer, models.PROTECT, null=True, blank=True, related_name="runs")
    experiment = models.ForeignKey(Experiment, models.PROTECT, null=True, blank=True, related_name="runs")
    run_number = models.PositiveIntegerField(null=True, blank=True)
    flowcell = models.CharField("flow cell", max_length=100, blank=True, db_index=True)
    date = models.DateField(null=True, blank=True, help_text="The day the run started.")
    reads = models.JSONField(default=list, blank=True, help_text="[cycles, is index] for each read.")
    lane_count = models.PositiveSmallIntegerField(null=True, blank=True)
    chemistry = models.CharField(max_length=255, blank=True)
    control_software = models.CharField(max_length=255, blank=True)
    layout = models.CharField(max_length=100, blank=True, help_text="How the FASTQs lie, as recognised.")

    state = models.CharField(max_length=20, choices=RunState, default=RunState.INCOMPLETE, db_index=True)
    state_reason = models.CharField(max_length=500, blank=True, help_text="Why skipped, in error or deleted.")
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    files_expected = models.PositiveIntegerField(default=0)
    files_found = models.PositiveIntegerField(default=0, help_text="Of those expected.")
    files_total = models.PositiveIntegerField(default=0, help_text="Every file that is there.")
    bytes_total = models.PositiveBigIntegerField(default=0)
    sample_count = models.PositiveIntegerField(default=0)

    is_gold_standard = models.BooleanField("gold standard", default=False)
    is_bad = models.BooleanField("bad", default=False)
    is_hidden = models.BooleanField("hidden", default=False)
    is_legacy = models.BooleanField("legacy", default=False, help_text="Never updated by scans.")

    first_scan = models.ForeignKey("Scan", models.SET_NULL, null=True, editable=False, related_name="+")
    last_scan = models.ForeignKey(
        "Scan", models.SET_NULL, null=True, editable=False, related_name="+", help_text="That last wrote it."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SequencingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-date", "-name"]
        permissions = [("seqauto_flag", "Can flag sequencing runs")]
        constraints = [
            models.CheckConstraint(
                condition=Q(files_found__lte=F("files_expected")), name="run_found_within_expected"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def folder(self) -> Path:
        return Path(self.path)

    @property
    def files_missing(self) -> int:
        return self.files_expected - self.files_found

    @property
    def reads_summary(self) -> str:
        """Cycles of each read, index reads too: `151 + 8 + 8 + 151`."""
        return " + ".join(str(cycles) for cycles, _is_index in self.reads)
