"""Deleting a run: what SeqAuto knows of it goes, no file does, and the audit tells."""

import re
import uuid
from datetime import timedelta

import pytest
from delivery_rows import add_delivery
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from page_rows import add_message, add_run, add_scan, add_sheet
from scanning import run_of, scan_well

from seqauto import forgetting
from seqauto.models import (
    AuditEntry,
    Delivery,
    Message,
    SampleSheet,
    ScanLease,
    SequencingFile,
    SequencingRun,
    SequencingSample,
)
from seqauto.models.scans import ScanStatus

pytestmark = pytest.mark.django_db

SURE = {"reason": "Recorded twice", "is_sure": "on"}


@pytest.fixture(autouse=True)
def boss(client) -> User:
    boss = User.objects.create_superuser("boss")
    client.force_login(boss)
    return boss


def words(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def full_run() -> SequencingRun:
    run = add_run(samples=2, missing=1, is_bad=True)
    add_sheet(run)
    add_message(run)
    return run


def delete(client, run: SequencingRun, **data: str):
    return client.post(f"/runs/{run.pk}/delete/", data or SURE, follow=True)


def test_the_page_says_what_goes_and_that_no_file_does(client):
    run = full_run()
    page = words(client.get(f"/runs/{run.pk}/delete/"))
    assert "4 files, 2 samples, 1 version of its sample sheet, 1 message, and its flags" in page
    assert f"No file is touched. The folder {run.path} stays as it is" in page
    assert "the next scan that finds it records it anew" in page
    assert "Delete" in words(client.get(run.get_absolute_url()))


def test_a_run_is_deleted_with_all_its_rows_and_other_runs_keep_theirs(client):
    run, other = full_run(), full_run()
    page = words(delete(client, run))
    assert f"{run.name} is deleted here. Its folder on the disk is as it was." in page
    assert list(SequencingRun.objects.all()) == [other]
    models = (SequencingFile, SequencingSample, SampleSheet, Message)
    assert [model.objects.count() for model in models] == [4, 2, 1, 1]


def test_promise_54_the_audit_keeps_what_was_deleted_and_why(client, boss):
    run = full_run()
    delete(client, run)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.who, entry.user_id, entry.reason) == (
        "run.deleted",
        "boss",
        boss.pk,
        SURE["reason"],
    )
    assert (entry.kind, entry.key, entry.name) == ("sequencingrun", run.pk, run.name)
    assert entry.before == {
        "known": True,
        "path": run.path,
        "state": "incomplete",
        "flags": ["bad"],
        "files": 4,
        "samples": 2,
        "sheet_versions": 1,
        "messages": 1,
    }
    assert entry.after == {"known": False}


def test_deliveries_of_a_deleted_run_stay(client):
    delivery = add_delivery()
    delete(client, add_run(identity=delivery.identity))
    assert Delivery.objects.filter(pk=delivery.pk).exists()


def test_the_folder_stays_and_the_next_scan_records_the_run_anew(client, archive, write_run):
    folder = write_run(archive / "exome")
    scan_well()
    before = sorted(path for path in folder.rglob("*"))
    run = run_of(folder)
    delete(client, run)
    assert sorted(path for path in folder.rglob("*")) == before
    scan_well()
    assert run_of(folder).pk != run.pk
    assert run_of(folder).files_found == run.files_found


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"reason": "Recorded twice"}, "Tick this if you mean it."),
        ({"is_sure": "on"}, "Say why: it is kept."),
        ({"reason": "  ", "is_sure": "on"}, "Say why: it is kept."),
    ],
)
def test_a_run_is_not_deleted_without_a_reason_and_a_tick(client, data, error):
    run = full_run()
    response = delete(client, run, **data)
    assert response.status_code == 422
    assert error in words(response)
    assert (SequencingRun.objects.count(), AuditEntry.objects.count()) == (1, 0)


def test_only_superusers_are_offered_and_let_delete(client):
    user = User.objects.create_user("admin")
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    run = full_run()
    assert f"/runs/{run.pk}/delete/" not in client.get(run.get_absolute_url()).content.decode()
    assert client.get(f"/runs/{run.pk}/delete/").status_code == 403
    assert delete(client, run).status_code == 403
    assert SequencingRun.objects.exists()


def hold_lease(**fields) -> None:
    """Let a scan be at work."""
    scan = add_scan(ScanStatus.CREATE_MODELS)
    lease = {"token": uuid.uuid4(), "scan": scan, "expires_at": timezone.now() + timedelta(minutes=1)}
    ScanLease.objects.update_or_create(pk=1, defaults=lease | fields)


def test_a_run_is_not_deleted_while_a_scan_is_at_work_and_may_have_it_in_its_hands(client):
    run = full_run()
    hold_lease()
    page = words(delete(client, run))
    assert "Nothing was deleted. SeqAuto Run" in page
    assert "Delete the run when that scan has ended." in page
    assert SequencingRun.objects.filter(pk=run.pk).exists()
    assert not AuditEntry.objects.exists()


def test_a_scan_that_died_does_not_keep_a_run_from_being_deleted(client):
    run = full_run()
    hold_lease(expires_at=timezone.now() - timedelta(minutes=5))
    delete(client, run)
    assert not SequencingRun.objects.exists()


def test_a_run_of_many_files_is_deleted_in_few_statements(boss, django_assert_max_num_queries):
    run = add_run(samples=300, lanes=4)
    with django_assert_max_num_queries(30):
        forgetting.forget(run, boss, "Recorded twice")
    assert not SequencingFile.objects.exists()


def test_a_run_that_somebody_else_deleted_meanwhile_is_not_found(client):
    run = full_run()
    delete(client, run)
    assert delete(client, run).status_code == 404
