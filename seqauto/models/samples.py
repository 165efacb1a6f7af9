"""Sample sheets (every version), the samples of a run, and its files."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from sequencing.illumina.sheet_text import decode_sheet

from .prefixes import Folded
from .runs import SequencingRun


class SampleSheet(models.Model):
    """One version of a run's sample sheet, kept for ever as it was read."""

    run = models.ForeignKey(SequencingRun, models.CASCADE, related_name="sample_sheets")
    version = models.PositiveIntegerField(help_text="1 for the first one seen.")
    is_current = models.BooleanField(default=True)
    path = models.CharField(max_length=1000, help_text="Inside the run folder.")
    format = models.CharField(max_length=10, blank=True, help_text="v1, v2 or casava.")
    sha256 = models.CharField("SHA-256", max_length=64)
    content = models.BinaryField(help_text="The file's bytes.")
    problems = models.JSONField(default=list, blank=True, help_text="Every error and warning of the parser.")
    is_usable = models.BooleanField(default=True, help_text="Without errors: samples are known by it.")
    sample_count = models.PositiveIntegerField(default=0)
    change = models.CharField(max_length=500, blank=True, help_text="What changed since the version before.")
    scan = models.ForeignKey("Scan", models.SET_NULL, null=True, related_name="+")
    seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["run", "version"], name="one_sheet_a_version"),
            models.UniqueConstraint(
                fields=["run"], condition=Q(is_current=True), name="one_current_sheet_a_run"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run} · version {self.version}"

    @property
    def text(self) -> str:
        """The text as the parser reads it, so that rows count alike; of what is no text, whatever it is."""
        content = bytes(self.content)
        return decode_sheet(content, []) or content.decode("utf-8", errors="replace")

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [problem for problem in self.problems if problem["severity"] == "error"]


#: Samples that go by another name than their id, which few do. A search by that name must say this too: its
#: index holds no others.
HAS_ANOTHER_NAME = ~Q(sample_name="") & ~Q(sample_name=F("sample_id"))


class SequencingSample(models.Model):
    """One sample of a run, as its current sheet describes it, however many rows it stands on."""

    run = models.ForeignKey(SequencingRun, models.CASCADE, related_name="samples", db_index=False)
    sample_id = models.CharField("sample ID", max_length=255)
    sample_name = models.CharField(max_length=255, blank=True)
    project = models.CharField(max_length=255, blank=True)
    number = models.PositiveIntegerField(help_text="n of _S<n>_: its order in the sheet.")
    lanes = models.CharField(max_length=100, blank=True, help_text="Empty where the sheet names none: all.")
    indexes = models.TextField(blank=True, help_text="i7+i5, one for each row of the sheet.")
    is_control = models.BooleanField("control", default=False)
    is_failed = models.BooleanField("failed", default=False)
    extra = models.JSONField(default=dict, blank=True, help_text="Sheet columns kept by setting.")

    class Meta:
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "project", "sample_id"], name="one_sample_a_run"),
        ]
        indexes = [
            models.Index(Folded("sample_id"), "id", name="sample_by_folded_id"),
            models.Index(Folded("sample_name"), condition=HAS_ANOTHER_NAME, name="sample_by_folded_name"),
            models.Index(fields=["project", "run"], name="sample_by_project"),
            models.Index(fields=["run"], condition=Q(is_control=True), name="sample_is_control"),
            models.Index(fields=["run"], condition=Q(is_failed=True), name="sample_is_failed"),
        ]

    def __str__(self) -> str:
        return self.sample_id


class DataState(models.TextChoices):
    NON_EXISTENT = "non_existent", "Non Existent"  # expected, never seen
    DELETED = "deleted", "Deleted"  # was here, gone
    RUNNING = "running", "Running"  # still being made
    SKIPPED = "skipped", "Skipped"  # deliberately not expected
    ERROR = "error", "Error"
    COMPLETE = "complete", "Complete"


#: What a run is counted by: a sheet asks for it, and nobody decided otherwise.
IS_WANTED = Q(is_expected=True) & ~Q(data_state=DataState.SKIPPED)
#: A sheet asks for it and it is not there, for whatever reason. What is still made or skipped is not missing.
MISSING_STATES = (DataState.NON_EXISTENT, DataState.DELETED, DataState.ERROR)
#: Its last term says nothing new, but SQLite needs it to take the index that leaves out what is complete.
IS_MISSING = Q(data_state__in=MISSING_STATES, is_expected=True) & ~Q(data_state=DataState.COMPLETE)


class SequencingFile(models.Model):
    """A file of a run: one that should be there, one that is, or both."""

    run = models.ForeignKey(SequencingRun, models.CASCADE, related_name="files", db_index=False)
    sample = models.ForeignKey(SequencingSample, models.SET_NULL, null=True, blank=True, related_name="files")
    file_type = models.CharField(max_length=30)
    path = models.CharField(max_length=1000, help_text="Inside the run folder.")
    data_state = models.CharField(max_length=20, choices=DataState)
    is_expected = models.BooleanField("expected")
    lane = models.PositiveSmallIntegerField(null=True, blank=True)
    read = models.CharField(max_length=4, blank=True)
    size = models.BigIntegerField(null=True, blank=True, help_text="Bytes.")
    mtime_ns = models.BigIntegerField(null=True, blank=True, help_text="Nanoseconds since 1970, UTC.")
    changed_at = models.DateTimeField(help_text="When a scan last wrote it.")

    class Meta:
        ordering = ["run", "path"]
        constraints = [
            models.UniqueConstraint(fields=["run", "path"], name="one_row_a_file"),
        ]
        indexes = [
            models.Index(
                fields=["data_state", "run"], condition=~Q(data_state="complete"), name="file_not_complete"
            ),
            models.Index(fields=["run"], condition=Q(is_expected=False), name="file_not_expected"),
        ]

    def __str__(self) -> str:
        return self.path
