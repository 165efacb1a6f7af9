"""The audit: who or what changed which thing, when, why, and from what to what."""

from typing import Any

from django.db import models
from django.utils import timezone


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **_values: Any) -> int:
        raise TypeError("The audit is only added to.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("The audit is only added to.")

    def newest_first(self) -> "AuditQuerySet":
        return self.order_by("-pk")


class AuditEntry(models.Model):
    """One change, written in the transaction that made it; never changed nor deleted afterwards.

    Names stand as texts: an entry outlives the account, the run and the delivery that it tells of.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user_id = models.BigIntegerField(null=True, db_index=True)
    who = models.CharField(max_length=150, help_text="A person's name, or the rule that acted by itself.")
    is_person = models.BooleanField()
    action = models.CharField(max_length=60, db_index=True, help_text="Such as delivery.retried.")
    kind = models.CharField(max_length=40, help_text="Of what was changed: delivery, run, scan, removal.")
    key = models.BigIntegerField(null=True, help_text="Its primary key.")
    name = models.CharField(max_length=255, db_index=True, help_text="Its name at that time.")
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.TextField(blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["kind", "key"])]

    def __str__(self) -> str:
        return f"{self.who}: {self.action} {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("The audit is only added to.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("The audit is only added to.")
