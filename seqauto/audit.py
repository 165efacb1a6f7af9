"""Writes the audit, inside the transaction that changes what it tells of: both are there, or none."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.db.models import Model

from .models import AuditEntry


def command_line() -> str:
    """Who acts where nobody has logged in: the shell, with the machine's account."""
    try:
        return command_line_of(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:  # a container without that account
        return command_line_of(f"account {os.getuid()}")


def command_line_of(account: str) -> str:
    return f"command line ({account})"


def record(
    action: str,
    subject: Model,
    *,
    user: AbstractBaseUser | None = None,
    rule: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Add an entry: an action that was done, such as "delivery.retried", by a person (`user`) or a `rule`."""
    if not connection.in_atomic_block:
        raise RuntimeError(f"{action}: the audit is written in the transaction that it tells of.")
    AuditEntry.objects.create(
        user_id=user.pk if user else None,
        who=user.get_username() if user else rule,
        is_person=user is not None,
        action=action,
        kind=subject._meta.model_name or "",
        key=subject.pk,
        name=str(subject)[:255],
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason.strip(),
    )
