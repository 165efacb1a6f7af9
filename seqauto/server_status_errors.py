"""What went wrong last, wherever: scans, steps of deliveries, and what scans found in runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F
from django.urls import reverse

from .models import DeliveryStep, Message, Scan
from .models.deliveries import StepState
from .models.scans import ScanStatus, Severity

SHOWN = 8


@dataclass(frozen=True, slots=True)
class LastError:
    at: datetime | None
    what: str
    url: str
    text: str
    remedy: str


def last_errors() -> list[LastError]:
    """The newest first. Three queries, each of a few rows."""
    errors = [*_scans(), *_steps(), *_messages()]
    return sorted(errors, key=lambda one: one.at.timestamp() if one.at else 0, reverse=True)[:SHOWN]


def _scans() -> list[LastError]:
    scans = Scan.objects.filter(status=ScanStatus.ERROR).newest_first()[:SHOWN]
    return [LastError(one.ended_at, str(one), one.get_absolute_url(), one.error, one.remedy) for one in scans]


def _steps() -> list[LastError]:
    steps = DeliveryStep.objects.filter(state=StepState.FAILED).select_related("delivery")
    steps = steps.defer("figures", "problems", "traceback").order_by(F("ended_at").desc(nulls_last=True))
    return [
        LastError(one.ended_at, str(one), one.delivery.get_absolute_url(), one.error, one.remedy)
        for one in steps[:SHOWN]
    ]


def _messages() -> list[LastError]:
    """Those that are still open."""
    found = Message.objects.open().filter(severity=Severity.ERROR).select_related("run").order_by("-pk")
    return [
        LastError(one.opened_at, str(one.run or "What scans found"), _page_of(one), one.text, one.remedy)
        for one in found[:SHOWN]
    ]


def _page_of(message: Message) -> str:
    return reverse("run_messages", args=[message.run_id]) if message.run_id else reverse("messages")
