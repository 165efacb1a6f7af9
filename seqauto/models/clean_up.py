"""Clean-up: what may be removed because it is proven elsewhere, what was, and what disks hold."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.utils import timezone

from .deliveries import Delivery, DeliveryStep


class Target(models.TextChoices):
    """The three places that hold a run's data on this server."""

    SOURCE = "source", "Run folder on the incoming disk"
    FASTQS = "fastqs", "FASTQs on this server"
    BACKUP = "backup", "Backup"


class Hold(models.Model):
    """A person's word that nothing of a delivery may be removed; it beats every rule and role."""

    delivery = models.ForeignKey(Delivery, models.PROTECT, related_name="holds")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    user_name = models.CharField(max_length=150)
    reason = models.TextField()
    until = models.DateField(null=True, blank=True, help_text="Its last day; empty: until it is released.")
    created_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.delivery} held by {self.user_name}"


class Proof(models.Model):
    """One look at a copy, from first byte to last: a backup against its manifest, or objects in S3."""

    class What(models.TextChoices):
        BACKUP = "backup", "Backup"
        S3 = "s3", "Objects in S3"

    delivery = models.ForeignKey(Delivery, models.PROTECT, related_name="proofs")
    what = models.CharField(max_length=10, choices=What)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    is_good = models.BooleanField()
    bytes = models.PositiveBigIntegerField(default=0)
    differences = models.JSONField(default=list, blank=True, help_text="Where the copy differs, in words.")
    manifest_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the manifest used.")
    stamp = models.CharField(
        max_length=32, blank=True, help_text="Of a backup's listing when its reading began: see Listing."
    )

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["delivery", "what", "-at"])]

    def __str__(self) -> str:
        return f"{self.get_what_display()} of {self.delivery}: {'good' if self.is_good else 'differs'}"


class Proving(models.Model):
    """The one job that reads copies again: who does it, how far it is, and what it could not read."""

    token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    worker = models.CharField(max_length=255, blank=True, help_text="Host and process.")
    delivery = models.ForeignKey(Delivery, models.SET_NULL, null=True, related_name="+")
    what = models.CharField(max_length=10, choices=Proof.What, blank=True)
    started_at = models.DateTimeField(null=True)
    done = models.PositiveBigIntegerField(default=0, help_text="Bytes of a backup, objects in S3.")
    total = models.PositiveBigIntegerField(default=0)
    troubles = models.JSONField(default=list, help_text="What could not be looked at last, a sentence each.")

    class Meta:
        verbose_name_plural = "proving"

    def __str__(self) -> str:
        return f"{self.what} of {self.delivery}" if self.delivery else "nothing in hand"


class RemovalState(models.TextChoices):
    PROPOSED = "proposed", "Waits for approval"
    APPROVED = "approved", "Approved"
    QUARANTINED = "quarantined", "In quarantine"
    REMOVING = "removing", "Being removed"
    REMOVED = "removed", "Removed"
    PUT_BACK = "put_back", "Put back"
    STOPPED = "stopped", "Stopped"


IN_QUARANTINE = (RemovalState.QUARANTINED, RemovalState.REMOVING)
UNDER_WAY = (RemovalState.PROPOSED, RemovalState.APPROVED, *IN_QUARANTINE, RemovalState.STOPPED)
AWAY = (*IN_QUARANTINE, RemovalState.REMOVED)


def still_there(steps: QuerySet[DeliveryStep], target: str) -> QuerySet[DeliveryStep]:
    """Those of steps whose folder no removal has taken away since they made it."""
    took = Removal.objects.filter(delivery=OuterRef("delivery"), target=target, state__in=AWAY)
    since = Q(quarantined_at=None) | Q(quarantined_at__gte=OuterRef("ended_at"))
    return steps.annotate(folder=KT("figures__folder")).exclude(
        Exists(took.filter(since, path=OuterRef("folder")))
    )


class Removal(models.Model):
    """One folder on its way out. Once removed it is the deletion's certificate, and is kept for ever."""

    State = RemovalState

    delivery = models.ForeignKey(Delivery, models.PROTECT, related_name="removals")
    target = models.CharField(max_length=10, choices=Target)
    path = models.CharField(max_length=1000)
    state = models.CharField(
        max_length=20, choices=RemovalState, default=RemovalState.PROPOSED, db_index=True
    )
    files = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    rule = models.JSONField(default=dict, help_text="The rule as it stood, with its version.")
    evidence = models.JSONField(default=list, help_text="Every gate with what was seen, when it was passed.")
    manifest = models.TextField(blank=True, help_text="What was removed, file by file.")
    tombstone = models.CharField(max_length=1000, blank=True)
    busy_until = models.DateTimeField(null=True, editable=False, help_text="Somebody carries it out now.")

    proposed_at = models.DateTimeField(default=timezone.now)
    proposed_by = models.CharField(max_length=150)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)
    quarantined_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        permissions = [
            ("seqauto_hold", "Can hold and release runs against clean-up"),
            ("seqauto_clean_up", "Can propose and carry out clean-up"),
            ("seqauto_clean_up_approve", "Can approve what another person proposed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "target"],
                condition=Q(state__in=["proposed", "approved", "quarantined", "removing", "stopped"]),
                name="one_removal_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_target_display()} of {self.delivery}"

    @property
    def is_in_quarantine(self) -> bool:
        """Whether it has left its place and not the disk, as far as is written down."""
        has_stopped_there = self.state == RemovalState.STOPPED and bool(self.tombstone)
        return self.state in IN_QUARANTINE or has_stopped_there

    def took(self, folder: str | None, made_at: datetime | None) -> bool:
        """Whether it took away what was made in `folder` then; not what stood there before, or elsewhere."""
        is_since = not self.quarantined_at or not made_at or self.quarantined_at >= made_at
        is_away = self.is_in_quarantine or self.state == RemovalState.REMOVED
        return is_away and self.path == folder and is_since


class DiskReading(models.Model):
    """Free space of a disk at one moment."""

    path = models.CharField(max_length=500)
    folders = models.JSONField(default=list, blank=True, help_text="Of the settings, that lie on it.")
    at = models.DateTimeField(default=timezone.now)
    total = models.PositiveBigIntegerField()
    free = models.PositiveBigIntegerField(help_text="For SeqAuto's user.")

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["path", "-at"]), models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.path} at {self.at}"
