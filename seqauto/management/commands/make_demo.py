"""`manage.py make_demo`: an archive to scan and a login, for a first look. A second time changes nothing."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.utils.crypto import get_random_string

from sequencing.demo import write_demo_archive

USER_NAME = "demo"


class Command(BaseCommand):
    help = "Writes the demo archive where no SEQAUTO_SCAN_ROOTS is given, and makes the user “demo”."

    def handle(self, **options: Any) -> str:
        archive: Path | None = settings.SEQAUTO_DEMO_ARCHIVE
        if archive is None:
            raise CommandError("The demo, with its known login, is for `make run` only, not for a server.")
        if archive in settings.SEQAUTO_SCAN_ROOTS and not archive.exists():
            make_archive(archive, settings.SEQAUTO_SKIP_MARKER)
        return (
            f"  Log in as {USER_NAME}, password {demo_password(settings.SEQAUTO_VAR_DIR / 'demo_password')}"
        )


def make_archive(archive: Path, skip_marker: str) -> None:
    """Write the archive beside its place, then move it there: a killed start leaves no half archive."""
    draft = archive.with_name(f"{archive.name}.{os.getpid()}")
    write_demo_archive(draft, skip_marker)
    draft.rename(archive)


def demo_password(path: Path) -> str:
    """The password of the demo user, who is made where there is none; `path` keeps it for the next start."""
    user, is_new = User.objects.get_or_create(username=USER_NAME, defaults={"is_staff": True})
    if is_new:
        password = get_random_string(10, "abcdefghjkmnpqrstuvwxyz23456789")
        keep_secret(path, password)
        user.set_password(password)
        user.save()
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label__in=["seqauto", "django_celery_beat"])
        )
    password = path.read_text() if path.exists() else ""
    return password if user.check_password(password) else "as you have changed it"


def keep_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
