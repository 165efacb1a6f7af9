"""A run comes back from its backup exactly as it was, or not at all."""

import json
import os
import shutil
from io import StringIO
from pathlib import Path

import pytest
from child_processes import wait_until
from delivering import delivery_of, events_of, land_run, look, rules_for, snapshot, work
from delivering_faults import environment_of
from django.core.management import CommandError, call_command
from django.utils import timezone

from seqauto import dates
from seqauto.models import AuditEntry, Removal
from sequencing.copying import list_folder, manifest_path, read_manifest, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules(tmp_path, settings):
    """A lab without S3, whose settings these rules are: a backup is all that a run needs to be restored."""
    rules = rules_for(tmp_path)
    settings.SEQAUTO_INCOMING_DIRS, settings.SEQAUTO_BACKUP_DIR = rules.incoming, rules.backup_dir
    settings.SEQAUTO_FASTQ_DIR = rules.fastq_dir
    return rules


@pytest.fixture
def run(rules) -> Path:
    """A run that was backed up, with a link and an odd name in it."""
    run = land_run(rules)
    (run / "current").symlink_to("RunInfo.xml")
    (run / "Recipe für heute").mkdir()
    (run / "RunInfo.xml").chmod(0o640)
    os.utime(run / "RunInfo.xml", ns=(1, 1_500_000_000_123_456_789))
    for _ in range(5):
        if steps := look(rules):
            break
    work(steps, rules)
    return run


@pytest.fixture
def place(tmp_path) -> Path:
    folder = tmp_path / "restored"
    folder.mkdir()
    return folder


def restore(run: Path, place: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("restore_run", run.name, "--to", str(place), *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def refused(run: Path, place: Path) -> str:
    with pytest.raises(CommandError) as caught:
        restore(run, place)
    assert not AuditEntry.objects.filter(action="run.restored").exists()
    return str(caught.value)


def test_promise_16_a_restored_run_is_what_was_backed_up(run, rules, place):
    before = list_folder(run).digest
    shutil.rmtree(run)
    told = json.loads(restore(run, place, "--json"))
    restored = place / run.name
    assert list_folder(restored).digest == before
    assert verify(restored, read_manifest(manifest_path(rules.backup_dir / run.name))) == ()
    assert ((restored / "RunInfo.xml").stat().st_mode & 0o777) == 0o640
    assert (restored / "current").readlink() == Path("RunInfo.xml")
    assert (told["folder"], told["equal"], told["files"]) == (
        str(restored),
        True,
        list_folder(restored).files,
    )
    assert [path.name for path in place.iterdir()] == [run.name]


def test_promise_54_a_restored_run_is_written_down(run, place):
    restore(run, place)
    entry = AuditEntry.objects.get(action="run.restored")
    assert (entry.name, entry.after["folder"]) == (run.name, str(place / run.name))
    assert entry.who.startswith("restore_run (")
    assert any(text.startswith(f"Restored to {place / run.name}") for text in events_of(run))


def test_promise_16_a_damaged_backup_is_never_restored_as_if_it_were_whole(run, rules, place):
    damaged = rules.backup_dir / run.name / "RunInfo.xml"
    data = bytearray(damaged.read_bytes())
    data[10] ^= 1
    damaged.chmod(0o644)
    damaged.write_bytes(data)
    assert "RunInfo.xml has another content" in refused(run, place)
    assert list(place.iterdir()) == []


def test_promise_16_a_backup_is_not_restored_by_another_manifest(run, rules, place):
    manifest = manifest_path(rules.backup_dir / run.name)
    manifest.write_bytes(manifest.read_bytes()[:-30])
    assert "is not the manifest that was written with this backup" in refused(run, place)
    manifest.unlink()
    assert "could not be read" in refused(run, place)


def test_what_stands_there_is_never_touched(run, place):
    (place / run.name).mkdir()
    (place / run.name / "notes").write_text("mine")
    assert "is there already" in refused(run, place)
    assert snapshot(place) == {f"{run.name}/notes": b"mine"}


@pytest.mark.parametrize("taken", ["incoming", "backup", "fastq"])
def test_nothing_is_restored_where_runs_land_or_are_kept(run, rules, tmp_path, taken):
    inside = tmp_path / taken / "deep"
    inside.mkdir()
    by_link = tmp_path / "link"
    by_link.symlink_to(inside)
    before = snapshot(tmp_path / taken)
    for place in (tmp_path / taken, inside, by_link):
        assert "lies inside the" in refused(run, place)
    assert snapshot(tmp_path / taken) == before


def test_a_run_or_place_that_is_not_known_is_refused_with_a_word_on_what_to_do(run, tmp_path):
    assert "Make it first" in refused(run, tmp_path / "nowhere")
    assert "No backup" in refused(Path("260101_M00001_0001_000000000-ABCDE"), tmp_path)


@pytest.mark.django_db(transaction=True)
def test_promise_16_a_killed_restore_leaves_no_run_and_the_next_one_succeeds(children, run, rules, place):
    big = rules.backup_dir / run.name
    environment = environment_of(rules)
    command = ("restore_run", run.name, "--to", str(place))
    killed = children.manage(*command, **environment)
    wait_until(lambda: any(place.iterdir()) or killed.process.poll() is not None, "it has begun")
    killed.kill()
    if not (place / run.name).exists():
        assert children.manage(*command, **environment).returncode() == 0
    assert verify(place / run.name, read_manifest(manifest_path(big))) == ()
    assert delivery_of(run).gone_at is None


def test_a_backup_that_clean_up_removed_is_told_with_its_certificate(run, rules, place):
    backup = rules.backup_dir / run.name
    now = timezone.now()
    removal = delivery_of(run).removals.create(
        target="backup", path=str(backup), state="quarantined", quarantined_at=now, tombstone="x.1"
    )
    assert f"stands in quarantine, removal {removal.pk}" in refused(run, place)
    Removal.objects.update(state="removed", ended_at=now)
    shutil.rmtree(backup)
    assert (
        f"was removed by clean-up on {dates.day(timezone.localtime(now))}: certificate {removal.pk}."
        in refused(run, place)
    )
