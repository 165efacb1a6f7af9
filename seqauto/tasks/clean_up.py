"""Door for Celery: the clean-up by itself, where a lab has switched it on."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from seqauto import clean_up
from seqauto.clean_up_rules import clean_up_rules_of_settings

BY = "clean-up by itself"


@shared_task
def clean_up_runs() -> None:
    """By beat, once an hour. The entry of a schedule outlives the setting that made it: so ask once more."""
    rules = clean_up_rules_of_settings()
    if settings.SEQAUTO_CLEAN_UP_ENABLED and not rules.disabled:
        clean_up.clean_up(rules, BY)
