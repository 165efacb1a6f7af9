"""Which folder is which run: moved, copied, renamed, and runs that people have put their hand on."""

import shutil

import pytest
from scanning import file_states, open_codes, run_of, said, scan_well

from seqauto import recording
from seqauto.models import Message, SequencingRun
from seqauto.models.runs import RunState

pytestmark = pytest.mark.django_db

MARKER = ".variantgrid_skip_flowcell"


@pytest.fixture
def twice(archive, write_run):
    """Two folders that claim one run, scanned in this order; and some runs beside them."""
    for number, group in enumerate(["exome", "genomes", "genomes"], 100):
        write_run(archive / group, number=number)
    first = write_run(archive / "genomes", samples=2)
    scan_well()
    second = write_run(archive / "exome", samples=2)
    scan_well()
    return first, second


def test_promise_7_two_folders_that_claim_one_run_are_a_conflict_for_a_person(twice):
    first, second = twice
    assert said("run_twice", second).severity == "error"
    assert str(first) in said("run_twice", second).text
    assert open_codes(first) == set()
    assert run_of(first).identity
    assert run_of(second).identity is None
    for run in twice:
        assert set(file_states(run).values()) == {"complete"}
    scan_well()
    assert Message.objects.filter(code="run_twice").count() == 1


def test_a_conflict_ends_when_the_second_folder_is_removed(twice):
    first, second = twice
    shutil.rmtree(second)
    scan_well()
    assert (run_of(first).state, run_of(second).state) == (RunState.COMPLETE, RunState.DELETED)
    assert not said("run_twice", second).is_open


def test_a_conflict_ends_when_the_first_folder_is_removed_and_flags_and_history_go_with_the_run(twice):
    first, second = twice
    before = run_of(first)
    SequencingRun.objects.filter(pk=before.pk).update(is_gold_standard=True)
    shutil.rmtree(first)
    scan_well()
    after = run_of(second)
    assert (after.pk, after.identity, after.is_gold_standard) == (before.pk, before.identity, True)
    assert (after.state, after.first_scan_id) == (RunState.COMPLETE, before.first_scan_id)
    assert set(file_states(second).values()) == {"complete"}
    assert not SequencingRun.objects.filter(path=first).exists()
    assert open_codes(second) == set()
    assert scan_well().runs_changed == 0


@pytest.mark.parametrize("which", [0, 1])
def test_a_conflict_ends_when_either_folder_is_marked_to_be_skipped(twice, which):
    skipped, kept = twice[which], twice[1 - which]
    (skipped / MARKER).touch()
    scan_well()
    scan_well()
    assert (run_of(skipped).state, run_of(kept).state) == (RunState.SKIPPED, RunState.COMPLETE)
    assert open_codes(skipped) == open_codes(kept) == set()
    assert run_of(kept).identity


def test_two_folders_new_at_once_that_claim_one_run_are_a_conflict(archive, write_run):
    first, second = write_run(archive / "a"), write_run(archive / "b")
    scan_well()
    assert (open_codes(first), open_codes(second)) == (set(), {"run_twice"})


def test_a_run_renamed_with_a_suffix_is_the_same_run(archive, write_run):
    run, *_others = [write_run(archive / "exome", number=n) for n in range(3)]
    scan_well()
    known = run_of(run)
    renamed = run.rename(f"{run}_repeat")
    scan_well()
    assert run_of(renamed).pk == known.pk
    assert run_of(renamed).name == renamed.name


def test_a_moved_run_may_have_changed_on_the_way(archive, write_run):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    (archive / "genomes").mkdir()
    moved = run.rename(archive / "genomes" / run.name)
    next(moved.rglob("*-01_*_R2_*")).unlink()
    scan = scan_well()
    assert file_states(moved)["26W0031-01_S1_L001_R2_001.fastq.gz"] == "deleted"
    assert (scan.files_vanished, scan.files_appeared, SequencingRun.objects.count()) == (1, 0, 1)


def test_a_whole_group_that_is_renamed_is_moved_and_not_lost(archive, write_run):
    runs = [write_run(archive / "exome", number=n) for n in range(3)]
    scan_well()
    pks = {run_of(run).pk for run in runs}
    (archive / "exome").rename(archive / "exome_v8")
    scan_well()
    assert set(SequencingRun.objects.values_list("pk", "group")) == {(pk, "exome_v8") for pk in pks}
    assert set(SequencingRun.objects.values_list("state", flat=True)) == {RunState.COMPLETE}


def test_two_runs_of_one_flow_cell_are_two_runs(archive, write_run):
    for number in (1, 2):
        write_run(archive / "exome", number=number, flowcell="000000000-ABCDE")
    scan_well()
    assert SequencingRun.objects.exclude(identity=None).count() == 2
    assert open_codes(SequencingRun.objects.first()) == set()


def test_run_info_tells_the_instrument_where_the_folders_name_tells_another(archive, write_run):
    run = write_run(archive / "exome", number=31)
    renamed = run.rename(run.with_name(run.name.replace("_M00879_0031_", "_M09999_0077_")))
    scan_well()
    assert (run_of(renamed).sequencer.serial, run_of(renamed).run_number) == ("M00879", 31)


def test_a_folder_of_no_runs_name_is_known_by_its_name_where_nothing_else_tells(archive, write_run):
    run = write_run(archive / "exome", run_info=False, parameters=False, samples=1)
    renamed = run.rename(run.with_name("the good one"))
    scan_well()
    assert (run_of(renamed).identity, run_of(renamed).sequencer) == ("folder the good one", None)
    assert "no_run_info" in open_codes(renamed)
    assert run_of(renamed).state == RunState.COMPLETE


# ---- flags ----


def test_a_legacy_run_is_never_updated_whatever_happens_to_its_folder(archive, write_run):
    run, *_others = [write_run(archive / "exome", number=n, samples=2) for n in range(4)]
    scan_well()
    SequencingRun.objects.filter(path=str(run)).update(is_legacy=True)
    before = _all_of(run)
    next(run.rglob("*-01_*_R2_*")).unlink()
    (run / "SampleSheet.csv").write_text("[Data]\nSample_ID\nx\n")
    scan_well()
    assert _all_of(run) == before
    (run / MARKER).touch()
    scan_well()
    assert _all_of(run) == before
    (archive / "old").mkdir()
    moved = run.rename(archive / "old" / run.name)
    (moved / MARKER).unlink()
    scan_well()
    assert _all_of(run) == before
    assert open_codes(moved) >= {"run_twice"}
    shutil.rmtree(moved)
    scan_well()
    assert _all_of(run) == before


def _all_of(folder):
    run = run_of(folder)
    row = SequencingRun.objects.filter(pk=run.pk).values().get()
    return row, list(run.files.order_by("pk").values_list()), list(run.sample_sheets.values_list("sha256"))


def test_flags_that_people_set_stay_even_those_set_while_a_scan_has_the_run_in_hand(
    archive, write_run, monkeypatch
):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    SequencingRun.objects.update(is_gold_standard=True)
    really_compare = recording.compare

    def compare_while_somebody_flags(*args, **options):
        SequencingRun.objects.update(is_bad=True, is_hidden=True)
        return really_compare(*args, **options)

    monkeypatch.setattr(recording, "compare", compare_while_somebody_flags)
    next(run.rglob("*-01_*_R2_*")).unlink()
    scan_well()
    known = run_of(run)
    assert known.state == RunState.INCOMPLETE
    flags = [
        name for name in ("is_gold_standard", "is_bad", "is_hidden", "is_legacy") if getattr(known, name)
    ]
    assert flags == ["is_gold_standard", "is_bad", "is_hidden"]
