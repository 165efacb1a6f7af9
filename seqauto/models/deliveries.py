"""Deliveries: what became of each run folder on the incoming disks, step by step."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class IncomingFolder(models.Model):
    """A disk that instruments write to, as it looked when it was last watched."""

    path = models.CharField(max_length=500, unique=True)
    device = models.BigIntegerField(null=True, help_text="st_dev of the folder.")
    looked_at = models.DateTimeField(null=True, help_text="When it was last looked at, well or not.")
    busy_until = models.DateTimeField(null=True, editable=False, help_text="Somebody is looking at it now.")
    error = models.TextField(blank=True, help_text="Why nothing may be concluded from the last look.")
    remedy = models.TextField(blank=True)

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path


class DeliveryState(models.TextChoices):
    SEQUENCING = "sequencing", "Sequencing"
    STALLED = "stalled", "Stalled"
    SETTLING = "settling", "Settling"
    DELIVERING = "delivering", "Delivering"
    WAITING = "waiting", "Waits for a person"
    HELD = "held", "On hold"
    DELIVERED = "delivered", "Delivered"
    RUN_FAILED = "run_failed", "Run failed"
    CONFLICT = "conflict", "Conflict"
    UNRECOGNISED = "unrecognised", "Not a run"
    GONE = "gone", "Gone"


# In these somebody must do something; in the others time does.
NEEDS_A_PERSON = (
    DeliveryState.WAITING,
    DeliveryState.STALLED,
    DeliveryState.RUN_FAILED,
    DeliveryState.CONFLICT,
    DeliveryState.UNRECOGNISED,
)


#: How the reason of a delivery begins, after its step, that would not fit on a disk.
WAITS_FOR_ROOM = "Waits for room"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def newest_first(self) -> "DeliveryQuerySet":
        return self.order_by("-found_at", "-pk")

    def needing_a_person(self) -> "DeliveryQuerySet":
        return self.filter(state__in=NEEDS_A_PERSON)

    def waiting_for_room(self) -> "DeliveryQuerySet":
        return self.filter(state=DeliveryState.DELIVERING, reason__contains=WAITS_FOR_ROOM)

    def under(self, folders: list[str]) -> "DeliveryQuerySet":
        return self.filter(root__in=folders)


class Delivery(models.Model):
    """One run folder on an incoming disk, from its first file to its FASTQs in S3.

    `reason` says in one sentence why it stands where it stands, `remedy` what a person should do about it.
    """

    State = DeliveryState

    name = models.CharField(max_length=255, db_index=True, help_text="The run folder's own name.")
    root = models.CharField(max_length=500, help_text="The incoming folder that it lies under.")
    path = models.CharField(max_length=1000, unique=True, help_text="The run folder, in full.")
    # NULL, not "", for a folder that is no run and for the second that claims a run: NULLs are never equal.
    identity = models.CharField(  # noqa: DJ001
        max_length=255, unique=True, null=True, editable=False, help_text="Instrument, number and flow cell."
    )
    instrument = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=100, blank=True)
    run_number = models.PositiveIntegerField(null=True, blank=True)
    flowcell = models.CharField("flow cell", max_length=100, blank=True)
    date = models.DateField(null=True, blank=True, help_text="The day the run started.")

    state = models.CharField(
        max_length=20, choices=DeliveryState, default=DeliveryState.SEQUENCING, db_index=True
    )
    reason = models.TextField(blank=True)
    remedy = models.TextField(blank=True)

    # What was seen of the folder.
    cycles = models.PositiveIntegerField(null=True, blank=True, help_text="Cycles written so far.")
    cycles_total = models.PositiveIntegerField(null=True, blank=True)
    listing = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Digest of all names, sizes, times."
    )
    listing_at = models.DateTimeField(null=True, blank=True, help_text="When that was first seen so.")
    listed_at = models.DateTimeField(null=True, blank=True, help_text="When it was last seen so.")
    files = models.PositiveIntegerField(null=True, blank=True)
    bytes = models.PositiveBigIntegerField(null=True, blank=True)
    sheet_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    conversion = models.PositiveSmallIntegerField(
        default=1, help_text="The number of the conversion that counts; a second one overwrites nothing."
    )

    found_at = models.DateTimeField(default=timezone.now)
    progress_at = models.DateTimeField(
        default=timezone.now, help_text="When the instrument last wrote a cycle."
    )
    complete_at = models.DateTimeField(
        null=True, blank=True, help_text="When all its markers were first seen."
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True, help_text="When the folder was no longer there.")

    is_held = models.BooleanField(default=False, help_text="A person holds it: no step begins.")
    is_forced = models.BooleanField(default=False, help_text="A person lets it begin without its markers.")
    overrides = models.JSONField(
        default=list, blank=True, help_text="Codes of errors that a person overrides."
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at", "-pk"]
        verbose_name_plural = "deliveries"
        permissions = [
            ("seqauto_retry", "Can retry steps of deliveries"),
            ("seqauto_deliver", "Can override, hold and force deliveries"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("delivery", args=[self.pk])

    @property
    def needs_a_person(self) -> bool:
        return self.state in NEEDS_A_PERSON

    @property
    def waits_for_room(self) -> bool:
        return self.state == DeliveryState.DELIVERING and WAITS_FOR_ROOM in self.reason

    def has_settled(self) -> bool:
        """Whether the instrument's last byte is in, as far as two equal listings can tell."""
        return self.steps.filter(kind=StepKind.SETTLE, state=StepState.DONE).exists()


class StepKind(models.TextChoices):
    SETTLE = "settle", "Settle"
    BACK_UP = "back_up", "Back up"
    CONVERT = "convert", "Convert"
    UPLOAD = "upload", "Upload"
    SUBMIT = "submit", "Submit"


#: Every run has these; Submit comes with an upload that something is set to follow.
STEPS_OF_EVERY_RUN = (StepKind.SETTLE, StepKind.BACK_UP, StepKind.CONVERT, StepKind.UPLOAD)


class StepState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class DeliveryStep(models.Model):
    """One step of a delivery. The row is the truth, the queue a hint: who turns Queued to Running works."""

    State = StepState

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="steps")
    kind = models.CharField(max_length=20, choices=StepKind)
    place = models.PositiveSmallIntegerField(help_text="In the order of the steps.")
    state = models.CharField(max_length=20, choices=StepState, default=StepState.WAITING, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    deaths = models.PositiveSmallIntegerField(default=0, help_text="Attempts in a row whose worker died.")

    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    bytes_done = models.PositiveBigIntegerField(default=0)
    bytes_total = models.PositiveBigIntegerField(null=True, blank=True)
    share_done = models.FloatField(null=True, blank=True, help_text="0 to 1, where bytes do not tell.")
    doing = models.CharField(max_length=200, blank=True, help_text="What it does just now, in words.")

    figures = models.JSONField(default=dict, blank=True, help_text="What it found and made; the evidence.")
    problems = models.JSONField(
        default=list, blank=True, help_text="All that is amiss, one object a problem."
    )
    code = models.CharField(max_length=60, blank=True, help_text="Of the error; a person may override it.")
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    log = models.CharField(max_length=1000, blank=True, help_text="File with what the program said.")

    worker = models.CharField(max_length=255, blank=True, help_text="Host and process.")
    token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["delivery", "place"]
        constraints = [models.UniqueConstraint(fields=["delivery", "kind"], name="one_step_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.delivery}"

    @property
    def duration(self) -> timedelta | None:
        """From start to end, or so far."""
        if self.started_at is None:
            return None
        return (self.ended_at or timezone.now()) - self.started_at

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1; None where nobody knows."""
        if self.share_done is not None:
            return min(self.share_done, 1.0)
        return min(self.bytes_done / self.bytes_total, 1.0) if self.bytes_total else None

    @property
    def bytes_a_second(self) -> float | None:
        seconds = self.duration.total_seconds() if self.duration else 0
        return self.bytes_done / seconds if seconds and self.bytes_done else None


class DeliveryEvent(models.Model):
    """What happened to a delivery, and who decided what and why; never changed afterwards."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    user_name = models.CharField(max_length=150, blank=True, help_text="Outlives the account.")
    step = models.CharField(max_length=20, blank=True, choices=StepKind)
    text = models.TextField()
    reason = models.TextField(blank=True, help_text="Why a person decided so.")

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return self.text
