"""`manage.py make_demo`: an archive to scan and a login."""

import stat
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from django.utils import timezone

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings, tmp_path):
    settings.SEQAUTO_VAR_DIR = tmp_path
    settings.SEQAUTO_DEMO_ARCHIVE = tmp_path / "demo_archive"
    settings.SEQAUTO_SCAN_ROOTS = [tmp_path / "demo_archive"]
    return tmp_path


def test_the_demo_user_can_log_in_and_start_scans(demo, capsys):
    call_command("make_demo")
    password = capsys.readouterr().out.split()[-1]
    user = authenticate(RequestFactory().post("/"), username="demo", password=password)
    assert user.has_perm("seqauto.seqauto_scan_initiate")
    assert not user.is_superuser
    assert stat.S_IMODE((demo / "demo_password").stat().st_mode) == 0o600


def test_a_second_time_changes_nothing(demo, capsys):
    call_command("make_demo")
    first = capsys.readouterr().out
    next((demo / "demo_archive").rglob("*.fastq.gz")).unlink()
    files = sorted(demo.rglob("*"))
    call_command("make_demo")
    assert capsys.readouterr().out == first
    assert sorted(demo.rglob("*")) == files


def test_a_changed_password_stays(demo, capsys):
    call_command("make_demo")
    user = User.objects.get(username="demo")
    user.set_password("my own words")
    user.save()
    capsys.readouterr()
    call_command("make_demo")
    assert "as you have changed it" in capsys.readouterr().out
    assert authenticate(RequestFactory().post("/"), username="demo", password="my own words")


def test_no_archive_is_made_where_the_lab_has_its_own(demo, settings):
    settings.SEQAUTO_SCAN_ROOTS = [demo / "own"]
    call_command("make_demo")
    assert not (demo / "demo_archive").exists()


def test_a_server_gets_no_demo_user(demo, settings):
    settings.SEQAUTO_DEMO_ARCHIVE = None
    with pytest.raises(CommandError, match="not for a server"):
        call_command("make_demo")
    assert not User.objects.exists()


def test_the_demos_runs_are_of_these_days(demo):
    call_command("make_demo")
    today = timezone.localdate()
    runs = {path.name.partition("_")[0] for path in (demo / "demo_archive" / "exome_v8").iterdir()}
    assert f"{today - timedelta(days=2):%y%m%d}" in runs
