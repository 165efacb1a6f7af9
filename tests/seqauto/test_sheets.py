"""The sample sheet of a run through time: every version kept, the last usable one in force."""

import os

import pytest
from scanning import file_states, open_codes, run_of, said, scan_well

from seqauto.models import Message, SampleSheet
from seqauto.models.runs import RunState
from seqauto.sheets import describe_change
from sequencing.illumina.sample_sheet import parse_sample_sheet

pytestmark = pytest.mark.django_db

HEAD = "[Header]\n[Data]\nSample_ID,Sample_Name,index,Sample_Project,Description\n"
TWO = HEAD + "a,a,ACGT,P,\nb,b,ACGA,P,\n"
BROKEN = HEAD + "a,a,ACGT,P,\n../b,b,ACGA,P,\n"


@pytest.fixture
def run(archive, write_run):
    """A run of two samples with all FASTQs, scanned well."""
    folder = write_run(archive / "exome", sheet_text=TWO, fastqs=False)
    (folder / "0_fastq").mkdir()
    for sample in "ab":
        for read in (1, 2):
            (folder / f"0_fastq/{sample}_R{read}.fastq.gz").write_bytes(b"x" * 100)
    scan_well()
    assert run_of(folder).state == RunState.COMPLETE
    return folder


def change(run, text: str) -> str:
    """Write the sheet, scan, and return what the newest version says of itself."""
    (run / "SampleSheet.csv").write_text(text)
    scan_well()
    return current(run).change


def current(run) -> SampleSheet:
    return run_of(run).sample_sheets.get(is_current=True)


def in_force(run) -> list[str]:
    return list(run_of(run).samples.values_list("sample_id", flat=True))


def test_the_first_version_is_kept_as_it_was_read(run):
    sheet = current(run)
    assert (sheet.version, sheet.format, sheet.path) == (1, "v1", "SampleSheet.csv")
    assert bytes(sheet.content) == TWO.encode()
    assert (sheet.is_usable, sheet.sample_count, sheet.change) == (True, 2, "")
    assert "sheet_changed" not in set(run_of(run).messages.values_list("code", flat=True))


def test_a_change_that_means_nothing_is_said_so_and_changes_no_sample_and_no_file(run):
    before = list(run_of(run).samples.values_list()), list(run_of(run).files.values_list())
    assert (
        change(run, TWO.replace(",P,\n", ",P,marrow\n")) == "no sample and no index changed, only other text."
    )
    assert (list(run_of(run).samples.values_list()), list(run_of(run).files.values_list())) == before
    assert run_of(run).sample_sheets.count() == 2
    message = said("sheet_changed", run)
    assert message.text == "Version 2 of the sample sheet: no sample and no index changed, only other text."
    assert not message.is_open  # it happened; nobody need do anything


def test_a_change_that_means_something_says_what_and_files_follow(run):
    text = change(run, HEAD + "a,a,TTTT,P,\nc,c,ACGA,P,\n")
    assert text == (
        "samples or indexes changed: 1 added (c); 1 removed (b); 1 with another lane or index (a)."
    )
    assert in_force(run) == ["a", "c"]
    states = file_states(run)
    assert states["c_R1.fastq.gz"] == states["c_R2.fastq.gz"] == "non_existent"
    assert states["a_R1.fastq.gz"] == states["b_R1.fastq.gz"] == "complete"
    expected = run_of(run).files.filter(is_expected=True).values_list("sample__sample_id", flat=True)
    assert sorted(expected) == ["a", "a", "c", "c"]
    assert run_of(run).files.filter(path__contains="/b_", sample=None).count() == 2


def test_a_sheet_that_returns_to_an_earlier_text_is_a_new_version_with_its_rows_back(run):
    files = list(run_of(run).files.values_list("path", "data_state", "is_expected", "sample__sample_id"))
    change(run, HEAD + "a,a,ACGT,P,\n")
    assert change(run, TWO) == "samples or indexes changed: 1 added (b)."
    versions = run_of(run).sample_sheets.order_by("version")
    assert [(sheet.version, sheet.is_current) for sheet in versions] == [(1, False), (2, False), (3, True)]
    assert versions[0].sha256 == versions[2].sha256
    after = run_of(run).files.values_list("path", "data_state", "is_expected", "sample__sample_id")
    assert sorted(after) == sorted(files)


def test_a_broken_new_version_keeps_the_last_usable_one_in_force(run):
    before = list(run_of(run).files.values_list())
    change(run, BROKEN)
    assert (current(run).version, current(run).is_usable, current(run).sample_count) == (2, False, 0)
    assert [problem["code"] for problem in current(run).errors] == ["hostile_name"]
    assert in_force(run) == ["a", "b"]
    assert list(run_of(run).files.values_list()) == before
    assert (run_of(run).state, run_of(run).state_reason) == (RunState.ERROR, "The sample sheet has 1 error.")
    assert open_codes(run) == {"hostile_name", "older_sheet_in_force"}
    scan_well()
    assert run_of(run).state == RunState.ERROR


def test_a_mended_sheet_closes_what_was_said_of_the_broken_one(run):
    change(run, BROKEN)
    assert change(run, TWO) == "no sample and no index changed, only other text."
    assert (run_of(run).state, open_codes(run)) == (RunState.COMPLETE, set())


def test_a_sheet_broken_from_the_start_expects_nothing_until_it_is_mended(archive, write_run):
    run = write_run(archive / "exome", sheet_text=BROKEN, fastqs=False)
    scan_well()
    assert (in_force(run), file_states(run)) == ([], {})
    assert change(run, TWO) == ""  # the first one that could be used
    assert (in_force(run), run_of(run).state) == (["a", "b"], RunState.INCOMPLETE)


def test_a_sheet_that_is_gone_leaves_its_last_version_in_force_and_says_so(run):
    before = list(run_of(run).files.values_list())
    (run / "SampleSheet.csv").unlink()
    scan_well()
    assert list(run_of(run).files.values_list()) == before
    assert (current(run).version, open_codes(run)) == (1, {"sample_sheet_gone"})
    assert run_of(run).state == RunState.COMPLETE
    (run / "SampleSheet.csv").write_text(TWO)
    scan_well()
    assert (current(run).version, open_codes(run)) == (1, set())


def test_a_sheet_edited_without_any_trace_in_size_or_time_is_noticed(run):
    sheet = run / "SampleSheet.csv"
    times = sheet.stat()
    sheet.write_text(TWO.replace("b,b,ACGA", "c,c,ACGA"))
    os.utime(sheet, ns=(times.st_atime_ns, times.st_mtime_ns))
    scan_well()
    assert in_force(run) == ["a", "c"]


def test_a_touched_sheet_of_the_same_text_is_no_new_version(run):
    (run / "SampleSheet.csv").touch()
    scan_well()
    assert run_of(run).sample_sheets.count() == 1


def test_every_error_of_a_sheet_is_kept_with_its_row_column_text_and_remedy(archive, write_run):
    run = write_run(archive / "exome", sheet_text=HEAD + "../a,a,ACGT,P,\n,b,ACGA,P,\n-c,c,ACGC,P,\n")
    scan_well()
    errors = [(error["row"], error["column"], error["text"]) for error in current(run).errors]
    assert sorted(errors)[0] == (4, "Sample_ID", "../a")
    assert {row for row, _column, _text in errors} == {4, 5, 6}
    assert all(error["remedy"] and error["message"] for error in current(run).errors)
    message = said("hostile_name", run)
    assert message.place == "SampleSheet.csv, row 4, column Sample_ID"
    assert message.text.endswith("And 1 more of this kind.")


def test_a_sample_on_several_rows_is_one_sample_with_all_its_indexes_and_lanes(archive, write_run):
    rows = "1,a,ACGT,TTTT,P\n1,a,ACGA,,P\n2,a,ACGT,TTTT,P\n2,b,GGGG,,P\n"
    sheet = f"[Data]\nLane,Sample_ID,index,index2,Sample_Project\n{rows}"
    run = write_run(archive / "exome", instrument="HiSeq 2500", sheet_text=sheet, fastqs=False)
    scan_well()
    samples = run_of(run).samples.values_list("number", "sample_id", "lanes", "indexes")
    assert list(samples) == [(1, "a", "1,2", "ACGT+TTTT ACGA"), (2, "b", "2", "GGGG")]


def test_one_id_in_two_projects_is_one_sample_and_told(archive, write_run):
    run = write_run(archive / "exome", sheet_text=HEAD + "a,a,ACGT,P,\na,a,ACGA,Q,\n", fastqs=False)
    scan_well()
    assert list(run_of(run).samples.values_list("project", "sample_id")) == [("P", "a")]
    assert "differing_sample" in open_codes(run)


def test_reordered_samples_are_renumbered_and_keep_their_rows(run):
    pks = dict(run_of(run).samples.values_list("sample_id", "pk"))
    assert change(run, HEAD + "b,b,ACGA,P,\na,a,ACGT,P,\n")
    assert dict(run_of(run).samples.values_list("sample_id", "pk")) == pks
    assert list(run_of(run).samples.values_list("number", "sample_id")) == [(1, "b"), (2, "a")]


def test_only_one_message_tells_of_a_version_however_often_it_is_scanned(run):
    change(run, HEAD + "a,a,ACGT,P,\n")
    scan_well()
    scan_well()
    assert Message.objects.filter(code="sheet_changed").count() == 1


def test_a_long_list_of_changes_is_cut_where_people_stop_reading():
    before = parse_sample_sheet((HEAD + "a,a,ACGT,P,\n").encode())
    rows = "".join(f"s{number:03},,{'ACGT'[number % 4] * 8},P,\n" for number in range(400))
    after = parse_sample_sheet((HEAD + rows).encode())
    assert describe_change(before, after) == (
        "samples or indexes changed: 400 added (s000, s001, s002, s003, s004, …); 1 removed (a)."
    )
