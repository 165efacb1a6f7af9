"""Clean-up: which copies count. One that is rotten, written to, or shows what goes itself is none."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cleaning import (
    BY,
    ONLY_BACKUPS,
    ONLY_SOURCES,
    clean_up_rules,
    closed_gates,
    delivered_run,
    execute,
    grow_old,
    prove_backup,
    quarantined,
    ripen,
    work_each_day,
    write_long_ago,
)
from delivering import deliver, delivery_of, land_run, look, rules_for, snapshot
from django.db.models import F
from django.utils import timezone
from faulty_proxy import FaultyProxy

from seqauto import clean_up, decisions, removal_work
from seqauto.models import DiskReading, Proof
from sequencing.copying import copy_verified, manifest_path

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


@pytest.fixture
def rules(lab):
    return clean_up_rules(lab, ONLY_SOURCES)


def evidence(run: Path, target: str, rules, gate: str) -> str:
    one = clean_up.candidate(delivery_of(run), target, rules)
    return next(found.evidence for found in one.gates if found.name == gate)


def overwrite(path: Path, content: bytes | None = None) -> None:
    """Other content of the same size, under the old time, as a failing disk or `rsync -t` leaves it."""
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(bytes(status.st_size) if content is None else content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# ---- the copy that stays when a backup goes ----


def test_promise_29_a_backup_stays_where_the_run_folder_has_rotten(lab):
    """By names, sizes and times it is equal; before anything moves each byte of it is read."""
    run, rules = delivered_run(lab), clean_up_rules(lab, ONLY_BACKUPS)
    overwrite(run / "RunInfo.xml")
    assert "each byte is read before anything moves" in evidence(run, "backup", rules, "another_copy")
    (removal,) = execute(rules)
    assert (removal.state, removal.quarantined_at) == ("stopped", None)
    assert "RunInfo.xml has another content" in removal.error
    assert (lab.backup_dir / run.name / "RunInfo.xml").exists()


def test_promise_29_a_run_folder_that_rots_while_its_backup_is_in_quarantine_brings_it_back(lab):
    run, rules = delivered_run(lab), clean_up_rules(lab, ONLY_BACKUPS)
    before = snapshot(lab.backup_dir)
    execute(replace(rules, grace_hours=24))
    overwrite(run / "RunInfo.xml")
    (removal,) = execute(rules)
    assert (removal.state, snapshot(lab.backup_dir)) == ("put_back", before)


def test_a_backup_goes_once_the_run_folder_was_read_and_is_equal(lab):
    run, rules = delivered_run(lab), clean_up_rules(lab, ONLY_BACKUPS)
    held = snapshot(run)
    (removal,) = execute(rules)
    assert (removal.state, (lab.backup_dir / run.name).exists()) == ("removed", False)
    assert snapshot(run) == held
    (told,) = [gate["evidence"] for gate in removal.evidence if gate["name"] == "another_copy"]
    assert "was read now" in told
    assert all(name in removal.manifest for name in held)


def test_a_backup_goes_though_the_sheet_of_its_run_was_edited_and_is_kept_elsewhere(lab):
    run = edited_and_converted_again(lab)
    (removal,) = execute(clean_up_rules(lab, ONLY_BACKUPS), run.name)
    assert removal.state == "removed"


def edited_and_converted_again(lab) -> Path:
    run = land_run(lab)
    write_long_ago(run)
    deliver(lab)
    sheet = run / "SampleSheet.csv"
    sheet.write_text(sheet.read_text().replace("[Header]", "[Header]\nInvestigator Name,Ada", 1))
    look(lab)
    decisions.convert_again(delivery_of(run), None, "The sheet was wrong")
    deliver(lab)
    ripen(run, lab)
    return run


def test_the_certificate_tells_of_the_sheet_that_went_and_not_of_the_one_in_the_backup(lab, rules):
    run = edited_and_converted_again(lab)
    sheet = (run / "SampleSheet.csv").stat()
    (removal,) = execute(rules, run.name)
    assert removal.state == "removed"
    rows = [line.split("\t") for line in removal.manifest.splitlines()]
    assert [row for row in rows if row[-1] == "SampleSheet.csv"] == [
        ["file", str(sheet.st_size), str(sheet.st_mtime_ns), "", "SampleSheet.csv"]
    ]
    (proven,) = [row for row in rows if row[-1] == "RunInfo.xml"]
    assert proven[3] in (lab.backup_dir / f"{run.name}.manifest.tsv").read_text()


# ---- a backup that was written to since it was proven ----


def test_promise_29_a_backup_written_to_since_its_proof_keeps_the_run_until_it_is_proven_again(lab, rules):
    """Re-created by hand, of the right names, sizes and times: what it holds now nobody has read."""
    run = delivered_run(lab)
    for path in (lab.backup_dir / run.name).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
    assert closed_gates(run, "source", rules) == ["backup_stands"]
    assert f"verify_runs --run {run.name}" in evidence(run, "source", rules, "backup_stands")
    assert execute(rules) == []
    assert run.exists()
    prove_backup(run, lab)
    assert closed_gates(run, "source", rules) == []


@pytest.mark.parametrize("target", ["source", "fastqs"])
@pytest.mark.parametrize("ahead", [0, 2])
def test_promise_29_a_backup_overwritten_since_its_proof_is_none_whatever_clocks_say(lab, target, ahead):
    """The clock of a file server may lag behind that of this machine."""
    run, rules = delivered_run(lab), clean_up_rules(lab)
    Proof.objects.update(at=F("at") + timedelta(seconds=ahead))
    overwrite(lab.backup_dir / run.name / "RunInfo.xml")
    assert "backup_stands" in closed_gates(run, target, rules)
    assert execute(rules) == []
    prove_backup(run, lab)  # which finds it, and then the run waits for a person
    assert "delivered" in closed_gates(run, target, rules)


def test_promise_29_another_manifest_than_the_one_of_the_backup_proves_nothing(lab):
    run = delivered_run(lab)
    again = copy_verified(run, lab.backup_dir / "again", algorithm="sha256")
    manifest_path(again.folder).replace(lab.backup_dir / f"{run.name}.manifest.tsv")
    assert closed_gates(run, "source", clean_up_rules(lab)) == ["backup_stands"]
    assert closed_gates(run, "backup", clean_up_rules(lab, ONLY_BACKUPS)) == ["another_copy"]


# ---- a copy that is the folder itself ----


@pytest.fixture
def bind(mount) -> Callable[[Path, Path], None]:
    """Shows a folder at a second place, for the length of a test."""

    def bind(folder: Path, place: Path) -> None:
        shutil.rmtree(place)
        mount(place, "--bind", folder)

    return bind


@pytest.mark.parametrize("inside", ["", "Data"])
@pytest.mark.parametrize("when", ["before the plan", "in quarantine"])
def test_promise_32_a_run_folder_mounted_in_place_of_its_backup_is_no_backup(lab, rules, bind, inside, when):
    run = delivered_run(lab)
    before, place = snapshot(run), lab.backup_dir / run.name / inside
    if when == "in quarantine":
        execute(replace(rules, grace_hours=24))
        (folder,) = quarantined(lab.incoming[0])
        bind(folder / inside, place)
        (removal,) = execute(rules)
        assert removal.state == "put_back"
    else:
        bind(run / inside, place)
        assert closed_gates(run, "source", rules) == ["backup_stands"]
        assert execute(rules) == []
    assert snapshot(run) == before


@pytest.mark.parametrize("inside", ["", "Data"])
def test_promise_32_a_backup_mounted_in_place_of_its_run_folder_is_no_other_copy(lab, bind, inside):
    run, rules = delivered_run(lab), clean_up_rules(lab, ONLY_BACKUPS)
    before = snapshot(lab.backup_dir)
    bind(lab.backup_dir / run.name / inside, run / inside)
    assert closed_gates(run, "backup", rules) == ["another_copy"]
    assert execute(rules) == []
    assert snapshot(lab.backup_dir) == before


def test_promise_32_a_backup_folder_that_leads_to_the_incoming_one_holds_no_backup(lab, rules):
    """Its disk died, and somebody linked it so that restores go on working."""
    run = delivered_run(lab)
    manifest = (lab.backup_dir / f"{run.name}.manifest.tsv").read_bytes()
    shutil.rmtree(lab.backup_dir)
    lab.backup_dir.symlink_to(lab.incoming[0])
    (lab.incoming[0] / f"{run.name}.manifest.tsv").write_bytes(manifest)
    before = snapshot(run)
    assert closed_gates(run, "source", rules) == ["backup_stands"]
    assert "are one folder" in evidence(run, "source", rules, "backup_stands")
    assert execute(rules) == []
    assert snapshot(run) == before


# ---- disks that are away ----


def test_promise_30_a_backup_disk_that_is_away_for_a_moment_ends_nothing(lab, rules):
    run = delivered_run(lab)
    execute(replace(rules, grace_hours=24))
    lab.backup_dir.rename(lab.backup_dir.with_name("away"))
    lab.backup_dir.mkdir()
    (removal,) = execute(rules)
    assert (removal.state, len(quarantined(lab.incoming[0]))) == ("quarantined", 1)
    assert "Is its disk mounted?" in removal.error
    lab.backup_dir.rmdir()
    lab.backup_dir.with_name("away").rename(lab.backup_dir)
    (removal,) = execute(rules)
    assert (removal.state, run.exists()) == ("removed", False)


def test_promise_30_an_incoming_disk_that_is_away_for_a_moment_keeps_the_backup_in_quarantine(lab):
    delivered_run(lab)
    rules = clean_up_rules(lab, ONLY_BACKUPS)
    execute(replace(rules, grace_hours=24))
    lab.incoming[0].rename(lab.incoming[0].with_name("away"))
    lab.incoming[0].mkdir()
    (removal,) = execute(rules)
    assert (removal.state, len(quarantined(lab.backup_dir))) == ("quarantined", 1)


@pytest.mark.parametrize("state", ["approved", "quarantined"])
@pytest.mark.parametrize("target", ["source", "fastqs", "backup"])
def test_promise_30_a_removal_waits_while_its_own_disk_is_away(lab, target, state):
    run = delivered_run(lab)
    off = {other: {"enabled": False} for other in ("source", "fastqs", "backup")}
    rules = clean_up_rules(lab, off | {target: {"enabled": True}})
    if state == "approved":
        clean_up.propose(clean_up.known_candidate(delivery_of(run), target, rules), rules, BY)
    else:
        execute(replace(rules, grace_hours=24))
    disk = {"source": lab.incoming[0], "fastqs": lab.fastq_dir, "backup": lab.backup_dir}[target]
    disk.rename(disk.with_name("away"))
    disk.mkdir()
    (removal,) = execute(rules)
    assert removal.state == state
    assert removal.error.startswith("Not now. ")
    assert "Is its disk mounted?" in removal.error
    assert "?." not in removal.error
    disk.rmdir()
    disk.with_name("away").rename(disk)
    (removal,) = execute(rules)
    assert removal.state == "removed"


# ---- objects, and what is not among them ----


def test_the_plan_says_that_undetermined_reads_are_not_in_s3(lab):
    run = delivered_run(lab)
    told = evidence(run, "fastqs", clean_up_rules(lab), "uploaded")
    assert "2 Undetermined FASTQs" in told
    assert "are not in S3: they can be made again from the base calls only." in told


def test_objects_that_are_going_to_expire_do_not_suffice_in_place_of_a_backup(lab, s3_server):
    run = delivered_run(lab)
    suffice = clean_up_rules(lab, ONLY_BACKUPS, fastqs_suffice=True)
    execute(clean_up_rules(lab, ONLY_SOURCES))
    assert "Undetermined reads are lost" in evidence(run, "backup", suffice, "another_copy")

    def expiring(request, ask):
        answer = ask(request)
        if request.method == "HEAD" and "fastq" in request.path:
            answer.headers.append(("x-amz-expiration", 'expiry-date="Fri, 23 Dec 2026", rule-id="old"'))
        return answer

    with FaultyProxy(s3_server.port) as line, line.faulty(expiring):
        through = replace(lab, s3=replace(lab.s3, endpoint_url=line.endpoint))
        rules = replace(suffice, delivery=through)
        assert execute(rules) == []
        assert (lab.backup_dir / run.name).exists()
        seen = removal_work.survey(delivery_of(run), "backup", rules, is_thorough=True)
    assert (seen.facts.another_copy.is_so, seen.facts.in_s3.is_so) == (False, True)
    assert "23 Dec 2026" in seen.facts.another_copy.text


# ---- clocks ----


def test_promise_35_a_clock_that_was_a_year_behind_at_the_delivery_makes_nothing_old(lab, rules):
    """All dates agree with one another and the proof is new; but the run's own files are younger."""
    run = land_run(lab)
    deliver(lab)
    ripen(run, lab, days=400)
    assert closed_gates(run, "source", rules) == ["instrument_clock"]
    assert execute(rules) == []
    assert run.exists()


def test_promise_35_a_single_machine_whose_clocks_all_jump_a_year_ahead_removes_nothing(lab, rules):
    """Database, workers and S3 are one machine and agree; the days between have left no trace."""
    run = land_run(lab)
    write_long_ago(run)
    deliver(lab)
    grow_old(run, 365)
    prove_backup(run, lab)
    work_each_day(3)
    assert closed_gates(run, "source", rules) == ["days_passed"]
    assert execute(rules) == []
    assert run.exists()
    DiskReading.objects.create(path="/disk", at=timezone.now() - timedelta(days=400), total=1, free=1)
    assert "on 3 days" in evidence(run, "source", rules, "days_passed")
