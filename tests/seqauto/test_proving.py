"""Copies are read again: what differs needs a person, what is out of reach says nothing."""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from time import sleep

import pytest
from delivering import deliver, delivery_of, events_of, land_run, rules_for, state_of, step_of
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from seqauto import decisions, proving
from seqauto.delivery_rules import ProvingRules
from seqauto.models import AuditEntry, Delivery, Proof, Proving, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState, StepState
from seqauto.s3_clients import s3_client
from sequencing.copying import copy_verified, list_folder, manifest_path

pytestmark = pytest.mark.django_db

ALWAYS = ProvingRules(gb_a_day=1e6, every_days=0)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def rules(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


@pytest.fixture
def run(rules) -> Path:
    """A delivered run."""
    run = land_run(rules)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    return run


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Retries that would take minutes take moments."""
    module = sys.modules["seqauto.proving"]
    usual = module.s3_options
    quick = {"attempts": 2, "first_pause": 0.01, "longest_pause": 0.05}
    monkeypatch.setattr(module, "s3_options", lambda rules: replace(usual(rules), **quick))


def flip(path: Path) -> None:
    """Another byte, with the size and the times of before."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def backup_of(run: Path, rules) -> Path:
    return rules.backup_dir / run.name


def proofs_of(run: Path) -> list[tuple[str, bool]]:
    return list(delivery_of(run).proofs.order_by("pk").values_list("what", "is_good"))


def needs_a_person(run: Path, kind: str, words: str) -> None:
    delivery, step = delivery_of(run), step_of(run, kind)
    assert (step.state, step.code, delivery.state) == (StepState.FAILED, "differs", DeliveryState.WAITING)
    assert words in delivery.reason
    assert "verify_runs" in delivery.remedy
    assert delivery.delivered_at
    assert delivery.reason in events_of(run)
    entry = AuditEntry.objects.get(action="proof.found_different")
    assert (entry.who, entry.is_person, entry.name) == ("re-verification", False, run.name)


# ---- equal copies ----


def test_copies_that_are_equal_are_proven_and_nothing_else_changes(run, rules):
    before = Delivery.objects.values().get(), step_of(run, "back_up").figures
    assert proving.prove_due(rules, ALWAYS) == 2
    assert proofs_of(run) == [("backup", True), ("s3", True)]
    backup = Proof.objects.get(what="backup")
    assert (backup.bytes, backup.manifest_sha256) == (
        before[1]["bytes"],
        before[1]["manifest_sha256"],
    )
    assert (Delivery.objects.values().get(), step_of(run, "back_up").figures) == before
    assert not AuditEntry.objects.exists()


def test_objects_that_a_checksum_proves_are_read_back_only_where_that_is_asked_for(run, rules):
    proving.prove_due(rules, ALWAYS)
    assert Proof.objects.get(what="s3").bytes == 0
    proving.prove_due(rules, replace(ALWAYS, s3_read_back="always"))
    assert Proof.objects.filter(what="s3").latest("pk").bytes == sum(
        one["size"] for project in step_of(run, "upload").figures["projects"] for one in project["objects"]
    )


def test_a_proof_is_dated_when_its_reading_began(run, rules, monkeypatch):
    """What is written to a backup while it is read, after its own turn, is younger than the proof."""
    ended = []

    usual = proving.verify

    def verify_slowly(*args, **options):
        differences = usual(*args, **options)
        ended.append(written_at(backup_of(run, rules) / "RunInfo.xml"))
        return differences

    monkeypatch.setattr(proving, "verify", verify_slowly)
    proving.prove_due(rules, ALWAYS)
    proof = Proof.objects.get(what="backup")
    assert proof.at < ended[0]
    assert proof.stamp != list_folder(backup_of(run, rules)).stamp


def written_at(path: Path) -> datetime:
    """Write a file anew with its own content, and say when that was, by its disk."""
    sleep(0.05)  # file systems count time in hundredths of a second
    os.chmod(path, path.stat().st_mode | 0o200)
    return datetime.fromtimestamp(path.stat().st_ctime, UTC)


def test_a_backup_is_dated_when_it_began_to_be_read_back(rules, monkeypatch):
    run, ended = land_run(rules, number=7), []

    def copy_slowly(source, destination, **options):
        backup = copy_verified(source, destination, **options)
        ended.append(written_at(destination / "RunInfo.xml"))
        return backup

    monkeypatch.setattr(sys.modules["seqauto.steps.back_up"], "copy_verified", copy_slowly)
    deliver(rules)
    assert datetime.fromisoformat(step_of(run, "back_up").figures["verified_at"]) < ended[0]


# ---- copies that differ ----


def test_promise_11_a_flipped_byte_in_a_backup_needs_a_person(run, rules):
    flip(backup_of(run, rules) / "RunInfo.xml")
    proving.prove_due(rules, ALWAYS)
    assert proofs_of(run) == [("backup", False), ("s3", True)]
    needs_a_person(run, "back_up", "RunInfo.xml has another content")
    assert Proof.objects.get(what="backup").differences == ["RunInfo.xml has another content"]


def test_a_damaged_backup_is_made_anew_by_moving_it_away_and_retrying(run, rules, tmp_path):
    flip(backup_of(run, rules) / "RunInfo.xml")
    proving.prove_due(rules, ALWAYS)
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert step_of(run, "back_up").code == "damaged"
    backup_of(run, rules).rename(tmp_path / "damaged")
    manifest_path(backup_of(run, rules)).rename(tmp_path / "damaged.manifest.tsv")
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    proving.prove_due(rules, ALWAYS)
    assert proofs_of(run)[-2:] == [("s3", True), ("backup", True)]


def test_a_copy_that_was_mended_is_good_again(run, rules):
    flip(backup_of(run, rules) / "RunInfo.xml")
    proving.prove_due(rules, ALWAYS)
    flip(backup_of(run, rules) / "RunInfo.xml")
    proving.prove_due(rules, ALWAYS)
    assert (state_of(run), step_of(run, "back_up").state) == (DeliveryState.DELIVERED, StepState.DONE)
    assert delivery_of(run).reason == ""
    assert AuditEntry.objects.filter(action="proof.found_equal").count() == 1


def test_a_bad_proof_of_a_run_whose_folder_is_gone_is_told_too(run, rules):
    shutil.rmtree(run)
    deliver(rules)
    assert delivery_of(run).gone_at
    (backup_of(run, rules) / "RunInfo.xml").unlink()
    proving.prove_due(rules, ALWAYS)
    needs_a_person(run, "back_up", "RunInfo.xml is missing")


def test_retry_does_not_hide_a_damaged_backup_that_is_the_only_copy(run, rules, admin_user):
    shutil.rmtree(run)
    deliver(rules)
    (backup_of(run, rules) / "RunInfo.xml").unlink()
    proving.prove_due(rules, ALWAYS)
    with pytest.raises(decisions.DecisionRefused, match="is no longer there"):
        decisions.retry(delivery_of(run), admin_user)
    needs_a_person(run, "back_up", "RunInfo.xml is missing")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def write_another(path: Path) -> None:
    """A manifest in order, of another content: of a run that somebody changed and described anew."""
    body, _end, _rest = path.read_bytes().rpartition(b"# end\t")
    body = body.replace(b"RunInfo.xml", b"RunInfx.xml")
    digest = hashlib.sha256(body).hexdigest()
    path.write_bytes(body + f"# end\t{body.count(chr(10).encode()) - 2}\t{digest}\n".encode())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "cut"),
        (Path.unlink, "is missing"),
        (write_another, "is not the manifest that was written with this backup"),
    ],
)
def test_promise_13_a_backup_without_its_own_manifest_is_not_proven(run, rules, harm, words):
    harm(manifest_path(backup_of(run, rules)))
    proving.prove_due(rules, ALWAYS)
    assert ("backup", False) in proofs_of(run)
    needs_a_person(run, "back_up", words)


def test_a_backup_that_was_removed_from_a_disk_with_others_is_missed(run, rules):
    (rules.backup_dir / "another run").mkdir()
    shutil.rmtree(backup_of(run, rules))
    proving.prove_due(rules, ALWAYS)
    needs_a_person(run, "back_up", f"{backup_of(run, rules)} is missing")


@pytest.mark.parametrize("harm", [flip, lambda path: path.write_bytes(b"short")])
def test_promise_24_an_object_that_was_replaced_in_s3_needs_a_person(run, rules, s3_server, harm):
    key = next(key for key in s3_server.objects() if key.endswith("R1_001.fastq.gz"))
    harm(s3_server.bucket / key)
    proving.prove_due(rules, ALWAYS)
    assert ("s3", False) in proofs_of(run)
    needs_a_person(run, "upload", f"s3://lab-fastq/{key} ")


def test_an_object_that_vanished_is_uploaded_anew_by_retrying(run, rules, s3_server):
    key = next(key for key in s3_server.objects() if key.endswith("R1_001.fastq.gz"))
    before = s3_server.objects()
    s3_client(rules.s3).delete_object(Bucket="lab-fastq", Key=key)
    proving.prove_due(rules, ALWAYS)
    needs_a_person(run, "upload", f"s3://lab-fastq/{key} is not there")
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    assert s3_server.objects() == before


# ---- copies out of reach ----


def trouble() -> str:
    (one,) = Proving.objects.get().troubles
    return one["text"]


def test_promise_30_an_unreachable_s3_is_no_proof_and_no_bad_one(run, rules, s3_server, impatient):
    s3_server.process.kill()
    s3_server.process.wait()
    assert proving.prove_due(rules, ALWAYS) == 1
    assert proofs_of(run) == [("backup", True)]
    assert state_of(run) == DeliveryState.DELIVERED
    assert "did not answer" in trouble()


def test_promise_30_a_bucket_that_is_not_there_is_no_bad_proof(run, rules, s3_server, impatient):
    shutil.rmtree(s3_server.bucket)
    proving.prove_due(rules, ALWAYS)
    assert proofs_of(run) == [("backup", True)]
    assert state_of(run) == DeliveryState.DELIVERED
    assert "bucket" in trouble()


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_promise_30_a_backup_disk_that_is_not_mounted_is_no_bad_proof(run, rules, tmp_path, folder):
    rules.backup_dir.rename(tmp_path / "away")
    if folder == "empty":
        rules.backup_dir.mkdir()
    proving.prove_due(rules, ALWAYS)
    assert proofs_of(run) == [("s3", True)]
    assert state_of(run) == DeliveryState.DELIVERED
    assert "mounted" in trouble()


def test_what_gave_trouble_is_left_for_a_day_and_others_are_proven(run, rules, tmp_path):
    manifest = manifest_path(backup_of(run, rules))
    manifest.rename(tmp_path / "kept")
    manifest.mkdir()  # cannot be read as a file
    other = land_run(rules, number=2)
    deliver(rules)
    assert proving.prove_due(rules, ALWAYS) == 3
    assert (proofs_of(run), len(proofs_of(other))) == ([("s3", True)], 2)
    manifest.rmdir()
    (tmp_path / "kept").rename(manifest)
    assert proving.prove_due(rules, ALWAYS) == 3
    yesterday = (timezone.now() - timedelta(days=1, seconds=1)).isoformat()
    Proving.objects.update(troubles=[one | {"at": yesterday} for one in Proving.objects.get().troubles])
    assert proving.prove_due(rules, ALWAYS) == 4


# ---- whose turn ----


def test_the_oldest_proof_comes_first_and_removed_backups_never(run, rules):
    other = land_run(rules, number=2)
    deliver(rules)
    for name, what, days in ((run.name, "backup", 3), (run.name, "s3", 1), (other.name, "s3", 2)):
        delivery = Delivery.objects.get(name=name)
        Proof.objects.create(
            delivery=delivery, what=what, is_good=True, at=timezone.now() - timedelta(days=days)
        )
    Delivery.objects.get(name=other.name).steps.update(ended_at=timezone.now() - timedelta(days=9))
    Delivery.objects.get(name=run.name).steps.update(ended_at=timezone.now() - timedelta(days=9))
    order = [(copy.step.delivery.name, copy.what.value) for copy in proving.copies()]
    assert order == [(other.name, "backup"), (run.name, "backup"), (other.name, "s3"), (run.name, "s3")]
    delivery_of(other).removals.create(
        target=Target.BACKUP, path=str(backup_of(other, rules)), state=RemovalState.REMOVED
    )
    assert [copy.step.delivery.name for copy in proving.copies([other.name])] == [other.name]


def test_a_backup_made_anew_after_a_removal_is_proven_again(run, rules):
    shutil.rmtree(backup_of(run, rules))
    removal = delivery_of(run).removals.create(
        target=Target.BACKUP, path=str(backup_of(run, rules)), state=RemovalState.REMOVED
    )
    Removal.objects.update(quarantined_at=timezone.now())
    assert [copy.what for copy in proving.copies([run.name])] == ["s3"]
    (run / "late.txt").write_text("late")
    deliver(rules)
    assert proving.prove_due(rules, ALWAYS) == 1
    assert proofs_of(run) == [("backup", True)]
    made_anew = step_of(run, "back_up").figures["folder"]
    for quarantined_at, known in ((removal.proposed_at, 1), (timezone.now(), 0)):  # in the same place, too
        Removal.objects.update(path=made_anew, quarantined_at=quarantined_at)
        assert len(proving.copies([run.name])) == known


def test_promise_35_a_proof_dated_ahead_by_a_wrong_clock_counts_for_nothing(run, rules):
    ahead = timezone.now() + timedelta(days=365)
    Proof.objects.create(delivery=delivery_of(run), what="backup", is_good=True, bytes=10**15, at=ahead)
    delivery_of(run).steps.update(ended_at=ahead)
    assert proving.prove_due(rules, replace(ALWAYS, every_days=7)) == 2


def test_a_background_that_is_switched_off_reads_nothing(run, rules):
    assert proving.prove_due(rules, ProvingRules(gb_a_day=0, every_days=0)) == 0


def test_each_reading_is_paid_for_by_a_pause(run, rules):
    slow = ProvingRules(gb_a_day=1e-9, every_days=0)  # a byte a day
    assert proving.prove_due(rules, slow) == 1
    assert proving.prove_due(rules, slow) == 0
    Proof.objects.update(at=timezone.now() - timedelta(days=366))
    assert proving.prove_due(rules, slow) == 1


@given(
    st.timedeltas(timedelta(days=-1000), timedelta(days=1000)),
    st.timedeltas(timedelta(days=-1000), timedelta(days=1000)),
    st.integers(0, 10**16),
    st.integers(1, 10**5),
)
def test_the_pace_is_never_exceeded_and_no_clock_stops_it(proven_ago, read_ago, size, pace):
    rules = ProvingRules(gb_a_day=pace, every_days=7)
    due = proving.is_due(NOW - proven_ago, (NOW - read_ago, size), rules, NOW)
    if due and read_ago >= timedelta(0):
        assert read_ago >= timedelta(days=min(size / (pace * 1e9), 365))
    if due:
        assert proven_ago >= timedelta(days=7)
    assert proving.is_due(NOW - timedelta(days=7), (NOW - timedelta(days=365), size), rules, NOW)


def test_one_process_at_a_time_proves(run, rules):
    with proving._in_hand() as mine:
        assert mine
        assert proving.prove_due(rules, ALWAYS) == 0
        Proving.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert proving.prove_due(rules, ALWAYS) == 2  # the first one died
        mine.tell(1, 2)
        assert mine.must_stop()
    assert Proving.objects.get().token is None


def test_a_proof_that_is_stopped_says_nothing(run, rules):
    (copy,) = [copy for copy in proving.copies() if copy.what == "backup"]
    with pytest.raises(proving.Unproven, match="stopped"):
        proving.prove(copy, rules, ALWAYS, stop=lambda: True)
    assert proofs_of(run) == []


def test_what_is_found_of_a_step_that_began_again_meanwhile_counts_for_nothing(run, rules):
    for copy in proving.copies():
        assert copy.step.figures  # as it stands now
        copy.step.delivery.steps.filter(pk=copy.step.pk).update(state=StepState.WAITING)
        assert proving.prove(copy, rules, ALWAYS) is None
    assert proofs_of(run) == []


def test_a_backup_that_is_removed_while_it_is_read_is_not_called_damaged(run, rules):
    (copy,) = [copy for copy in proving.copies() if copy.what == "backup"]
    (backup_of(run, rules) / "RunInfo.xml").unlink()
    delivery_of(run).removals.create(
        target=Target.BACKUP, path=str(backup_of(run, rules)), state=RemovalState.QUARANTINED
    )
    assert proving.prove(copy, rules, ALWAYS) is None
    assert (proofs_of(run), state_of(run)) == ([], DeliveryState.DELIVERED)


# ---- the command ----


def verify(*arguments: str) -> dict:
    out = StringIO()
    try:
        call_command("verify_runs", "--json", *arguments, stdout=out)
    except CommandError:
        return {"failed": True, **json.loads(out.getvalue())}
    return {"failed": False, **json.loads(out.getvalue())}


@pytest.fixture
def as_settings(rules, settings, run):
    settings.SEQAUTO_INCOMING_DIRS, settings.SEQAUTO_BACKUP_DIR = rules.incoming, rules.backup_dir
    settings.SEQAUTO_S3_FASTQ_BUCKET = rules.s3.bucket
    settings.SEQAUTO_S3_ENDPOINT_URL = rules.s3.endpoint_url


def test_verify_runs_reads_the_copies_of_a_run_now(as_settings, run, rules):
    results = verify("--run", run.name)
    assert not results["failed"]
    assert [(one["what"], one["result"]) for one in results["copies"]] == [
        ("backup", "equal"),
        ("s3", "equal"),
    ]
    flip(backup_of(run, rules) / "RunInfo.xml")
    results = verify()
    assert results["failed"]
    differing = next(one for one in results["copies"] if one["what"] == "backup")
    assert (differing["result"], differing["said"]) == ("differs", ["RunInfo.xml has another content"])
    with pytest.raises(CommandError, match="nosuchrun"):
        call_command("verify_runs", "--run", "nosuchrun")


def test_verify_runs_tells_people_what_differs(as_settings, run, rules):
    (backup_of(run, rules) / "RunInfo.xml").unlink()
    out = StringIO()
    with pytest.raises(CommandError, match="differ"):
        call_command("verify_runs", stdout=out)
    assert f"{run.name}: Backup: differs\n  RunInfo.xml is missing\n" in out.getvalue()
    assert f"{run.name}: Objects in S3: equal" in out.getvalue()
