"""The search box: whatever people type or paste leads to the run, sample, file or project that they mean."""

import re
from datetime import date

import pytest
from delivery_rows import add_delivery
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from page_rows import add_run

from seqauto.models import Experiment, Sequencer, SequencingRun, SequencingSample
from seqauto.models.deliveries import DeliveryState
from seqauto.search import as_meant, find

pytestmark = pytest.mark.django_db

FOLDER = "/archive/haem/261120_M02027_0042_000000000-A69NA"
FASTQ = "H-0002_S2_L001_R1_001.fastq.gz"


@pytest.fixture(autouse=True)
def lab(client) -> None:
    client.force_login(User.objects.create_user("plain"))


@pytest.fixture
def run() -> SequencingRun:
    """One run among others, none of which has anything in common with it but the group."""
    for number in range(3):
        add_run(samples=1, name=f"25010{number}_NB501009_010{number}_AHXXXXBGXX")
    run = add_run(
        samples=3,
        missing=1,
        name="261120_M02027_0042_000000000-A69NA",
        flowcell="000000000-A69NA",
        experiment=Experiment.objects.create(name="Haem_26_211"),
        identity="M02027/42/000000000-A69NA",
    )
    SequencingSample.objects.filter(run=run).update(project="LYMPH")
    return run


def answer(client, text: str):
    return client.get("/search/", {"q": text})


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


# --- One thing fits: that thing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "261120_M02027_0042_000000000-A69NA",
        "_0042_",
        "a69na",
        "haem_26_211",
        "26_2",
        FOLDER,
        f"{FOLDER}/",
        f"'{FOLDER}'",
        "/archive/haem/2611",
        "  A69NA\n",
    ],
)
def test_what_fits_one_run_alone_leads_to_it(client, run, typed):
    response = answer(client, typed)
    assert (response.status_code, response.headers.get("Location")) == (302, run.get_absolute_url())


@pytest.mark.parametrize("typed", ["H-0003", "h-0003"])
def test_a_sample_of_one_run_leads_to_its_files(client, run, typed):
    sample = run.samples.get(sample_id="H-0003")
    assert answer(client, typed).headers["Location"] == f"/files/?sample={sample.pk}"


def test_a_sample_is_found_by_its_other_name_too(client, run):
    run.samples.filter(number=2).update(sample_name="Müller twin")
    sample = run.samples.get(number=2)
    assert answer(client, "Müller t").headers["Location"] == f"/files/?sample={sample.pk}"


def test_a_project_leads_to_its_samples(client, run):
    assert answer(client, "lymp").headers["Location"] == "/samples/?project=LYMPH"


def test_a_serial_number_of_an_instrument_without_runs_leads_to_the_runs_it_will_have(client, run):
    sequencer = Sequencer.objects.create(serial="A01934", model="NovaSeq 6000")
    assert answer(client, "a01934").headers["Location"] == f"/runs/?instrument={sequencer.pk}"


def test_a_run_that_is_only_on_an_incoming_disk_leads_to_its_delivery(client, run):
    delivery = add_delivery(DeliveryState.SEQUENCING, name="261121_M02027_0043_000000000-B00B5")
    for typed in ("b00b5", delivery.path, f"{delivery.path}/Data/Intensities"):
        assert answer(client, typed).headers["Location"] == delivery.get_absolute_url()


def test_a_run_and_its_delivery_are_one_thing(client, run):
    add_delivery(name=run.name, identity=run.identity, flowcell=run.flowcell)
    assert answer(client, "A69NA").headers["Location"] == run.get_absolute_url()


def test_a_hidden_run_is_found_and_says_that_it_is_hidden(client, run):
    SequencingRun.objects.update(is_hidden=True)
    assert answer(client, "A69NA").headers["Location"] == run.get_absolute_url()
    assert "hidden" in text_of(answer(client, "NB501009"))


@pytest.mark.parametrize("typed", ["cardio", "CARDIO_p", "NextSeq 2", "vh0020"])
def test_a_run_is_found_by_its_kit_and_by_the_model_and_serial_number_of_its_instrument(run, typed):
    next_seq = Sequencer.objects.create(serial="VH00203", model="NextSeq 2000")
    other = add_run(name="another", group="kits/cardio_panel", sequencer=next_seq)
    assert find(typed).runs == [other]
    assert find(typed).sequencers == ([next_seq] if typed[0] in "Nv" else [])


def test_the_list_finds_runs_by_kit_and_instrument_as_the_box_does(client, run):
    other = add_run(group="cardio", sequencer=Sequencer.objects.create(serial="VH1", model="NextSeq 2000"))
    for typed in ("cardio", "vh1", "nextseq"):
        for address in ("/runs/", "/runs/export.csv"):
            response = client.get(address, {"q": typed})
            content = b"".join(response) if response.streaming else response.content
            assert other.name.encode() in content
            assert run.name.encode() not in content


def test_runs_that_are_called_so_stand_before_newer_ones_of_such_a_kit(run):
    old = add_run(experiment=Experiment.objects.create(name="Trio_1"), date=date(2020, 1, 1))
    newer = [add_run(group="trio", date=date(2026, 11, day)) for day in (1, 2)]
    assert find("trio").runs == [old, *reversed(newer)]


# --- Several things fit: groups ------------------------------------------------------------------------


def test_several_hits_stand_in_groups_that_say_what_each_is(client, run):
    add_delivery(name=run.name, identity=run.identity, flowcell="another")
    said = text_of(answer(client, "haem"))
    assert "What fits “haem”." in said
    assert "Runs Haem_26_211 261120_M02027_0042_000000000-A69NA haem" in said
    assert "1 FASTQ missing" in said
    assert "its delivery" in said
    assert "Projects HAEM its runs" in said


def test_a_sample_says_its_project_its_run_and_how_many_files_are_there(client, run):
    said = text_of(answer(client, "H-000"))
    assert "H-0001 LYMPH Haem_26_211 261120_M02027_0042_000000000-A69NA" in said
    assert "1 / 2" in said
    assert "2 / 2" in said


def test_a_file_that_was_skipped_on_purpose_counts_in_the_box_as_little_as_in_the_list(client, run):
    run.files.filter(sample__number=1, read="R1").update(data_state="skipped")
    for page in (answer(client, "H-000"), client.get("/samples/", {"run": run.pk})):
        said = text_of(page)
        assert "1 / 1" in said
        assert "1 / 2" not in said


def test_of_samples_with_one_name_the_newest_run_stands_first(client, run):
    newer = add_run(samples=1, name="261121_M02027_0044_000000000-C0FFE")
    found = find("H-0001").samples
    assert [sample.run for sample in found[:2]] == [newer, run]


def test_more_than_ten_hits_lead_to_the_list_of_all(client):
    for _number in range(12):
        add_run(samples=1)
    page = answer(client, "M02027").content.decode()
    assert page.count('<li><div><a href="/runs/') == 10 + 1  # the sequencer is the last
    assert 'href="/runs/?q=M02027&amp;flag=all"' in page
    assert 'href="/samples/?q=H-0&amp;flag=all"' in answer(client, "H-0").content.decode()


def test_the_list_of_all_that_fit_finds_the_same(client, run):
    add_run(samples=2, name="261121_M02027_0044_000000000-A69NB")
    assert text_of(client.get("/runs/", {"q": "A69N", "flag": "all"})).count("A69N") >= 2
    SequencingRun.objects.filter(pk=run.pk).update(is_hidden=True)
    for typed in ("H-000", "h-0001"):
        listed = text_of(client.get("/samples/", {"q": typed, "flag": "all"}))
        assert all(sample.sample_id in listed for sample in find(typed).samples)


# --- Files and paths -----------------------------------------------------------------------------------


def test_a_path_from_a_terminal_tells_of_the_file_and_its_run(client, run):
    said = text_of(answer(client, f"{FOLDER}/0_fastq/{FASTQ}"))
    assert "Runs Haem_26_211" in said
    assert f"{FOLDER}/0_fastq/{FASTQ}" in said
    assert "412 MB" in said


def test_the_name_of_a_fastq_tells_where_it_lies_and_how_it_stands(client, run):
    for typed in (FASTQ, f"0_fastq/{FASTQ}", "H-0001_S1_L001_R1_001.fastq.gz"):
        page = answer(client, typed)
        assert page.status_code == 200
        assert f'data-copy="{FOLDER}/0_fastq/{typed.rpartition("/")[2]}"' in page.content.decode()
    assert "missing" in text_of(page)


def test_the_beginning_of_a_files_path_is_enough(run):
    assert len(find(f"{FOLDER}/0_fastq/H-0002").files) == 2


def test_a_path_into_a_run_without_such_a_file_says_so(client, run):
    said = text_of(answer(client, f"{FOLDER}/0_fastq/NOBODY.fastq.gz"))
    assert "The run is known, but no file of it whose path begins so. All files of this run" in said


def test_a_fastq_of_no_sample_is_not_looked_for_in_all_runs(run):
    assert find("Undetermined_S0_L001_R1_001.fastq.gz").files == []


# --- Nothing fits --------------------------------------------------------------------------------------


def test_nothing_found_says_what_was_looked_through_and_what_to_try(client, run):
    said = text_of(answer(client, "zebra"))
    assert "Nothing fits “zebra”." in said
    assert "Looked through Runs , by any part of the folder’s name" in said
    assert "What to try Fewer letters" in said


def test_before_anything_is_typed_it_says_what_can_be_found(client):
    for query in ({}, {"q": ""}, {"q": "  "}):
        said = text_of(client.get("/search/", query))
        assert "One box for all that SeqAuto knows." in said
        assert "What can be found" in said


@pytest.mark.parametrize("typed", ["%", "\\", "a\0b", "'", '"', "'; DROP TABLE", "x" * 5000, "/", "//", "‮"])
def test_odd_texts_are_only_texts(client, run, typed):
    assert answer(client, typed).status_code in (200, 302)


def test_what_is_searched_for_is_inert_in_the_page(client, run):
    page = answer(client, "<script>alert(1)</script>").content
    assert b"<script>alert" not in page


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("'/a b/c/'", "/a b/c"), ('"x"', "x"), ("/a/", "/a"), ("/", "/"), ("'", "'"), (" x ", "x"), ("", "")],
)
def test_quotes_and_last_slashes_are_not_meant(typed, meant):
    assert as_meant(typed) == meant


# --- Cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["a", "H-0", FASTQ, FOLDER, f"{FOLDER}/0_fastq/H", "/incoming/2", "zebra"])
def test_a_search_asks_the_database_eight_times_at_most(run, typed):
    with CaptureQueriesContext(connection) as queries:
        find(typed)
    assert len(queries) <= 8
