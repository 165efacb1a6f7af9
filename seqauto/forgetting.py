"""Forgets a run: what SeqAuto knows of it goes, while its folder on the disk stays as it is.

The next scan that finds the folder records it anew, as a run that it never saw.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from .audit import record
from .models import ScanLease, SequencingRun


class ForgetRefused(Exception):
    """A run that cannot be forgotten just now, in a sentence for people."""


def known_of(run: SequencingRun) -> dict[str, int]:
    """How many rows of each kind would go with it."""
    return {
        "files": run.files.count(),
        "samples": run.samples.count(),
        "sheet_versions": run.sample_sheets.count(),
        "messages": run.messages.count(),
    }


def forget(run: SequencingRun, user: User, reason: str) -> None:
    """Remove a run's rows and leave an entry in the audit. Raises ForgetRefused while a scan is at work.

    Deliveries stay: they tell what became of the data, whoever still looks at it.
    """
    with transaction.atomic():
        _refuse_while_a_scan_works()
        known = SequencingRun.objects.select_for_update().filter(pk=run.pk).first()
        if known is None:
            raise ForgetRefused("It is deleted already.")
        record("run.deleted", known, user=user, before=_facts(known), after={"known": False}, reason=reason)
        # In this order one statement removes each kind, however many rows: nothing points to them any more.
        known.files.all().delete()
        known.samples.all().delete()
        known.messages.all().delete()
        known.sample_sheets.all().delete()
        known.delete()


def _refuse_while_a_scan_works() -> None:
    """A scan knows every run from its start to its end. While the lease is locked here, none can start."""
    ScanLease.objects.get_or_create(pk=1)
    lease = ScanLease.objects.select_for_update().get(pk=1)
    if lease.token:
        raise ForgetRefused(
            f"SeqAuto Run {lease.scan_id} is scanning and may have this run in its hands. "
            "Delete the run when that scan has ended."
        )


def _facts(run: SequencingRun) -> dict[str, Any]:
    flags = [name for name in ("gold_standard", "bad", "hidden", "legacy") if getattr(run, f"is_{name}")]
    return {"known": True, "path": run.path, "state": run.state, "flags": flags, **known_of(run)}
