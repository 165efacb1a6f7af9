"""The story of a delivery: from disk, through the real Picard, to a real S3 server and a scan."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from delivering import (
    deliver,
    delivery_of,
    events_of,
    look,
    rules_for,
    snapshot,
    state_of,
    steps_of,
    whole_story,
)
from scanning import file_states, open_codes, run_of, scan_well

from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from sequencing import demo
from sequencing.converters import find_converter
from sequencing.copying import list_folder, manifest_path, read_manifest, verify

pytestmark = pytest.mark.django_db

SAMPLES = [demo.DemoSample("26W0031-01", "HAEM"), demo.DemoSample("26W0031-02", "MUSCLE")]


@pytest.fixture(scope="module")
def picard():
    """The real Picard of this machine."""
    if find_converter(["picard"]) is None:
        pytest.skip("needs Picard (Debian: picard-tools), which is not on the PATH")


@pytest.fixture
def rules(tmp_path, s3_server, picard):
    rules = rules_for(tmp_path, s3_server)
    return replace(rules, converter=replace(rules.converter, wanted=["picard"], programs={}))


def test_a_run_is_delivered_from_its_last_byte_to_s3_and_delivering_it_twice_changes_nothing(
    rules, s3_server, settings
):
    run = demo.write_barcoded_run(rules.incoming[0], samples=SAMPLES, reads_per_sample=20, unassigned=4)
    as_written = snapshot(run)

    deliver(rules)

    assert state_of(run) == DeliveryState.DELIVERED, delivery_of(run).reason
    assert set(steps_of(run).values()) == {StepState.DONE}
    assert snapshot(run) == as_written  # raw data is read only
    backup_is_proven(run, rules.backup_dir / run.name)
    fastqs_are_right(run, rules.fastq_dir / run.name / "Unaligned")
    s3_has_each_project(run, s3_server.objects())
    assert [text.split(":")[0] for text in events_of(run)][-3:] == ["Back up", "Convert", "Upload"]

    everything = whole_story(), snapshot(rules.backup_dir), snapshot(rules.fastq_dir), s3_server.objects()
    assert look(rules) == []
    assert look(rules) == []
    assert (
        whole_story(), snapshot(rules.backup_dir), snapshot(rules.fastq_dir), s3_server.objects()
    ) == everything  # fmt: skip

    the_scan_shows_the_same_run(run, rules, settings)


def backup_is_proven(run: Path, backup: Path) -> None:
    manifest = read_manifest(manifest_path(backup))
    assert verify(backup, manifest) == ()
    assert snapshot(backup) == snapshot(run)
    assert list_folder(backup).digest == list_folder(run).digest


def fastqs_are_right(run: Path, folder: Path) -> None:
    step = delivery_of(run).steps.get(kind=StepKind.CONVERT)
    reads = {sample["sample_id"]: sample["reads"] for sample in step.figures["demultiplexing"]["samples"]}
    assert reads == {"26W0031-01": 20, "26W0031-02": 20}
    assert step.figures["converter"] == "picard"
    assert step.figures["version"]
    for number, sample in enumerate(SAMPLES, 1):
        for read in ("R1", "R2"):
            name = f"{sample.sample_id}_S{number}_L001_{read}_001.fastq.gz"
            text = gzip.decompress((folder / sample.project / name).read_bytes()).decode()
            assert text.count("\n") == 4 * 20


def s3_has_each_project(run: Path, objects: dict[str, bytes]) -> None:
    for sample in SAMPLES:
        below = f"runs/{sample.project}/M00879_31/"
        theirs = {key.removeprefix(below): body for key, body in objects.items() if key.startswith(below)}
        meta = json.loads(theirs.pop("meta.json"))
        assert {file["name"]: file["md5"] for file in meta["files"]} == {
            name: hashlib.md5(body).hexdigest() for name, body in theirs.items()
        }
        assert len(theirs) == 2
        assert all(name.startswith(sample.sample_id) for name in theirs)
        assert (meta["project_code"], meta["run_id"], meta["flowcell_id"], meta["sequence_date"]) == (
            sample.project, "M00879_31", delivery_of(run).flowcell, "2026-03-02",
        )  # fmt: skip


def the_scan_shows_the_same_run(run: Path, rules, settings) -> None:
    settings.SEQAUTO_SCAN_ROOTS = [rules.fastq_dir]
    settings.SEQAUTO_SCAN_RESOURCES_DIR = rules.logs_dir / "scans"
    scan_well()
    scanned = run_of(rules.fastq_dir / run.name)
    assert scanned.identity == delivery_of(run).identity
    fastqs = {name: state for name, state in file_states(scanned).items() if name.endswith(".fastq.gz")}
    assert (len(fastqs), set(fastqs.values())) == (4, {"complete"})
    assert not open_codes(scanned)
