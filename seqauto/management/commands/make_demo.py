"""`manage.py make_demo`: an archive to scan, a run to deliver and a login. A second time changes nothing."""

import datetime
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.crypto import get_random_string

from sequencing.converters import ConversionProblem, find_converter
from sequencing.demo import demo_samples, write_barcoded_run, write_demo_archive

USER_NAME = "demo"


class Command(BaseCommand):
    help = "Writes the demo where the lab has named no folders of its own, and makes the user “demo”."

    def handle(self, **options: Any) -> str:
        archive: Path | None = settings.SEQAUTO_DEMO_ARCHIVE
        if archive is None:
            raise CommandError("The demo, with its known login, is for `make run` only, not for a server.")
        if archive in settings.SEQAUTO_SCAN_ROOTS and not archive.exists():
            make_archive(archive, settings.SEQAUTO_SKIP_MARKER)
        login = demo_password(settings.SEQAUTO_VAR_DIR / "demo_password")
        return f"{_delivery()}  Log in as {USER_NAME}, password {login}"


def _delivery() -> str:
    """Write the run to deliver, unless the lab delivers its own; say what will become of it."""
    folder: Path | None = settings.SEQAUTO_DEMO_DELIVERY
    if folder is None or folder / "incoming" not in settings.SEQAUTO_INCOMING_DIRS:
        return ""
    if not folder.exists():
        make_delivery(folder)
    try:
        converter = find_converter(settings.SEQAUTO_CONVERTERS, settings.SEQAUTO_CONVERTER_PROGRAMS)
    except ConversionProblem as problem:
        return f"  A demo run is being delivered, but waits at Convert: {problem}\n"
    if converter:
        return "  A demo run is being delivered: see Deliveries\n"
    return (
        "  A demo run is being delivered, but waits at Convert: no converter is installed here\n"
        "  (on Debian: apt-get install picard-tools, then press Retry on its page)\n"
    )


def make_delivery(folder: Path) -> None:
    """Write a run as it comes from a MiSeq, and the folders that its delivery needs."""
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    for name in ("backup", "fastqs", "s3/fastqs"):
        (draft / name).mkdir(parents=True)
    samples = demo_samples(4, "26W0133", "Cardio")
    reads = {sample.sample_id: 400 - 90 * number for number, sample in enumerate(samples)}
    write_barcoded_run(
        draft / "incoming",
        number=133,
        date=timezone.localdate() - datetime.timedelta(days=1),
        samples=samples,
        project="Cardio",
        reads_per_sample=reads,
    )
    draft.rename(folder)


def make_archive(archive: Path, skip_marker: str) -> None:
    """Write the archive beside its place, then move it there: a killed start leaves no half archive."""
    draft = archive.with_name(f"{archive.name}.{os.getpid()}")
    write_demo_archive(draft, skip_marker, timezone.localdate())
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
