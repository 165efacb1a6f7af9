"""A door for Celery: beat asks every ten minutes whether a copy's turn to be proven again has come."""

from __future__ import annotations

from celery import shared_task

from seqauto import proving
from seqauto.delivery_rules import proving_of_settings, rules_of_settings


@shared_task
def prove_copies() -> None:
    """What has been read is paid for by a pause, so most calls end at once."""
    proving.prove_due(rules_of_settings(), proving_of_settings())
