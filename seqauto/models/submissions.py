"""What was handed over after an upload: one row a project's conversion, written before anything is sent."""

import uuid

from django.db import models
from django.utils import timezone

from .deliveries import Delivery


class Submission(models.Model):
    """One job that follows the upload of a project. Its id is chosen first, so that a job is found again."""

    delivery = models.ForeignKey(Delivery, models.PROTECT, related_name="submissions")
    conversion = models.PositiveSmallIntegerField(help_text="The conversion whose FASTQs were uploaded.")
    project = models.CharField(max_length=100)
    job_id = models.UUIDField("job id", default=uuid.uuid4, unique=True, help_text="Ours, sent with the job.")
    kind = models.CharField(max_length=10, help_text="batch or celery.")
    job = models.JSONField(default=dict, help_text="What was sent, filled in.")
    chosen_at = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField(
        null=True, help_text="When it was last sent; without an answer nobody knows whether it arrived."
    )
    submitted_at = models.DateTimeField(null=True)
    receipt = models.CharField(max_length=255, blank=True, help_text="The receiver's own id of the job.")

    class Meta:
        ordering = ["delivery", "conversion", "project"]
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "conversion", "project"], name="one_submission_of_a_project"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project} of {self.delivery}"
