"""The lists of samples, files, experiments and sequencers: narrowed, sorted, paged, shared, exported."""

import csv
import io
import re
from datetime import date, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from page_rows import add_file, add_message, add_run

from seqauto.filters import projects
from seqauto.filters import runs as run_filters
from seqauto.models import Experiment, Sequencer, SequencingFile, SequencingRun, SequencingSample
from seqauto.models.samples import DataState
from seqauto.views import files, paging, samples

pytestmark = pytest.mark.django_db

LISTS = ("runs", "samples", "files", "experiments", "sequencers")


@pytest.fixture(autouse=True)
def user(client) -> User:
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


def page_of(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def exported(client: Client, address: str, **query: str) -> list[dict[str, str]]:
    response = client.get(address, query)
    assert response.streaming
    return list(csv.DictReader(io.StringIO(b"".join(response).decode("utf-8-sig"), newline="")))


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'<a href="([^"]*)" rel="{rel}"', page)
    return unescape(found.group(1)) if found else None


def add_sample(run: SequencingRun, sample_id: str, **fields) -> SequencingSample:
    number = run.samples.count() + 1
    return SequencingSample.objects.create(
        **{"run": run, "sample_id": sample_id, "project": "HAEM", "number": number} | fields
    )


@pytest.fixture
def lab() -> dict[str, SequencingRun]:
    """Two runs of two instruments, with samples and files of every kind."""
    next_seq = Sequencer.objects.create(serial="NB501009", model="NextSeq 500")
    Sequencer.objects.create(serial="NB501010", model="NextSeq 500")  # without runs
    haem = Experiment.objects.create(name="Haem_26_211")
    one = add_run(name="run_one", experiment=haem, date=date(2026, 11, 1), flowcell="A1B2C")
    two = add_run(
        name="run_two",
        sequencer=next_seq,
        group="exome",
        is_bad=True,
        path="/archive/exome/run_two",
        date=date(2026, 11, 5),
    )
    missing = add_sample(one, "H-2211")
    add_sample(one, "NTC-1", is_control=True)
    add_sample(one, "H-22", sample_name="Trio_mother", project="TRIO")
    again = add_sample(two, "h-2211", project="EXOME")
    add_sample(two, "E-7", project="EXOME", is_failed=True)
    for read, is_there in (("R1", True), ("R2", False)):
        add_file(one, missing, 1, read, is_there=is_there).save()
        add_file(two, again, 1, read).save()
    add_file(
        two, again, 1, "R1", path="old/h-2211_R1.fastq.gz", data_state=DataState.DELETED, size=None
    ).save()
    two.files.create(
        file_type="fastq", path="Undetermined_S0_L001_R1_001.fastq.gz", data_state=DataState.COMPLETE,
        is_expected=False, read="R1", size=9, changed_at=timezone.now(),
    )  # fmt: skip
    return {"one": one, "two": two}


# --- Samples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["h-2211", "E-7", "H-2211", "NTC-1", "H-22"]),
        ({"q": "H-22"}, ["H-22", "H-2211", "h-2211"]),
        ({"q": "h-2211"}, ["H-2211", "h-2211"]),
        ({"q": "-2211"}, []),
        ({"q": "trio_m"}, ["H-22"]),
        ({"project": "EXOME"}, ["h-2211", "E-7"]),
        ({"project": "EXO"}, []),
        ({"about": "haem_26"}, ["H-2211", "NTC-1", "H-22"]),
        ({"about": "a1b2"}, ["H-2211", "NTC-1", "H-22"]),
        ({"about": "/archive/exome/"}, ["h-2211", "E-7"]),
        ({"files": "missing"}, ["h-2211", "H-2211"]),
        ({"kind": "control"}, ["NTC-1"]),
        ({"kind": "failed"}, ["E-7"]),
        ({"kind": "sample"}, ["h-2211", "E-7", "H-2211", "H-22"]),
        ({"after": "2026-11-02"}, ["h-2211", "E-7"]),
        ({"before": "2026-11-02"}, ["H-2211", "NTC-1", "H-22"]),
        ({"after": "2026-11-02", "q": "h-22"}, ["h-2211"]),
        ({"instrument": "model:NextSeq 500"}, ["h-2211", "E-7"]),
        ({"group": "haem"}, ["H-2211", "NTC-1", "H-22"]),
        ({"group": "exome", "q": "h"}, ["h-2211"]),
        ({"group": "haem", "after": "2026-11-02"}, []),
        ({"group": "exome", "instrument": "model:NextSeq 500", "about": "RUN_T"}, ["h-2211", "E-7"]),
        ({"flag": "bad"}, ["h-2211", "E-7"]),
        ({"flag": "bad", "before": "2026-11-02"}, []),
        ({"project": "exome"}, ["h-2211", "E-7"]),
        ({"project": "tRiO"}, ["H-22"]),
        ({"q": "H-2211", "files": "missing", "project": "HAEM"}, ["H-2211"]),
        ({"sort": "run"}, ["H-2211", "NTC-1", "H-22", "h-2211", "E-7"]),
        ({"sort": "sample_id"}, ["E-7", "H-22", "H-2211", "h-2211", "NTC-1"]),
        ({"sort": "-sample_id", "q": "h"}, ["h-2211", "H-2211", "H-22"]),
        ({"sort": "project"}, ["h-2211", "E-7", "H-2211", "NTC-1", "H-22"]),
        ({"run": "999999"}, []),
        ({"run": "9" * 40}, []),
        ({"q": "\0", "project": "\0", "after": "9999-12-31", "rows_after": "x"}, None),
    ],
)
def test_samples_can_be_narrowed_and_sorted_on_the_page_and_in_the_file_alike(client, lab, query, found):
    page = page_of(client, "/samples/", **query)
    if found is not None:
        assert re.findall(r'<td class="sample"><a [^>]*>([^<]*)</a>', page) == found
        assert [row["sample"] for row in exported(client, "/samples/export.csv", **query)] == found


def test_a_sample_tells_its_run_and_how_many_of_its_files_are_there_and_leads_to_them(client, lab):
    page = page_of(client, "/samples/", q="H-2211", project="HAEM")
    assert "1 sample ; a sample leads to its files." in words_of(page)
    for words in ("H-2211", "HAEM", "Haem_26_211", "run_one", "1 Nov 2026", "1 / 2"):
        assert words in words_of(page)
    pk = lab["one"].samples.get(sample_id="H-2211").pk
    assert f'<a href="/files/?sample={pk}">H-2211</a>' in page
    assert "control" in words_of(page_of(client, "/samples/", kind="control"))


def test_the_samples_of_one_run_can_be_asked_for(client, lab):
    page = page_of(client, "/samples/", run=lab["two"].pk)
    assert "2 samples" in words_of(page)
    assert "Run: run_two" in words_of(page)


# --- Files ---------------------------------------------------------------------------------------------

H_R1, H_R2 = (f"/archive/haem/run_one/0_fastq/H-2211_S1_L001_{read}_001.fastq.gz" for read in ("R1", "R2"))
E_R1, E_R2 = (f"/archive/exome/run_two/0_fastq/h-2211_S1_L001_{read}_001.fastq.gz" for read in ("R1", "R2"))
E_OLD = "/archive/exome/run_two/old/h-2211_R1.fastq.gz"
E_UNDETERMINED = "/archive/exome/run_two/Undetermined_S0_L001_R1_001.fastq.gz"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [E_R1, E_R2, E_UNDETERMINED, E_OLD, H_R1, H_R2]),
        ({"sort": "run"}, [H_R1, H_R2, E_R1, E_R2, E_UNDETERMINED, E_OLD]),
        ({"q": "h-2211"}, [H_R1, H_R2, E_R1, E_R2, E_OLD]),
        ({"q": "h-2211", "sort": "-sample"}, [E_R1, E_R2, E_OLD, H_R1, H_R2]),
        ({"q": "NTC"}, []),
        ({"q": "/archive/haem"}, [H_R1, H_R2]),
        ({"q": "/archive/haem/run_o"}, [H_R1, H_R2]),
        ({"q": "/archive/haem/run_one/"}, [H_R1, H_R2]),
        ({"q": "/archive/exome/run_two/old/"}, [E_OLD]),
        ({"q": "/archive/exome/run_two/0_fastq/h-2211_S1_L001_R2"}, [E_R2]),
        ({"q": "/elsewhere"}, []),
        ({"q": "H-2211_S1_L001_R1_001.fastq.gz"}, [H_R1, E_R1]),
        ({"q": "0_fastq/h-2211_S1_L001_R2_001.fastq.gz"}, [H_R2, E_R2]),
        ({"state": "missing"}, [E_OLD, H_R2]),
        ({"state": "non_existent"}, [H_R2]),
        ({"state": "deleted"}, [E_OLD]),
        ({"state": "complete"}, [E_R1, E_R2, E_UNDETERMINED, H_R1]),
        ({"type": "fastq", "state": "deleted"}, [E_OLD]),
        ({"expected": "no"}, [E_UNDETERMINED]),
        ({"expected": "yes", "state": "complete"}, [E_R1, E_R2, H_R1]),
        ({"project": "EXOME"}, [E_R1, E_R2, E_OLD]),
        ({"project": "EXOME", "sort": "run", "state": "complete"}, [E_R1, E_R2]),
        ({"about": "run_two", "q": "h-2211"}, [E_R1, E_R2, E_OLD]),
        ({"instrument": "model:NextSeq 500"}, [E_R1, E_R2, E_UNDETERMINED, E_OLD]),
        ({"instrument": "model:NextSeq 500", "q": "h-2211"}, [E_R1, E_R2, E_OLD]),
        ({"group": "haem"}, [H_R1, H_R2]),
        ({"group": "haem", "after": "2026-11-02"}, []),
        ({"before": "2026-11-02"}, [H_R1, H_R2]),
        ({"after": "2026-11-02", "state": "deleted"}, [E_OLD]),
        ({"flag": "bad", "project": "exome"}, [E_R1, E_R2, E_OLD]),
        ({"flag": "gold"}, []),
        ({"sample": "999999"}, []),
        ({"run": "x"}, []),
        ({"q": "\0", "rows_before": "x"}, None),
    ],
)
def test_files_can_be_narrowed_and_sorted_on_the_page_as_text_and_in_the_file_alike(
    client, lab, query, found
):
    page = page_of(client, "/files/", **query)
    if found is not None:
        assert re.findall(r'data-copy="([^"]*)"', page) == found
        assert [row["path"] for row in exported(client, "/files/export.csv", **query)] == found
        text = b"".join(client.get("/files/paths.txt", query)).decode()
        assert text.splitlines() == found


@pytest.mark.parametrize("state", DataState.values)
def test_a_file_is_missing_in_the_lists_where_it_is_on_its_runs_page(client, state):
    run = add_run(samples=1, state="incomplete")
    path = run.files.order_by("path")[0].path
    run.files.filter(path=path).update(data_state=state)
    is_missing = state in ("non_existent", "deleted", "error")
    missing = [f"{run.path}/{path}"] * is_missing
    assert client.get("/files/paths.txt", {"state": "missing"}).getvalue().decode().split() == missing
    assert client.get(f"/runs/{run.pk}/missing.txt").getvalue().decode().split() == missing
    assert len(exported(client, "/samples/export.csv", files="missing")) == is_missing


def test_where_are_the_files_of_a_sample(client, lab):
    sample = lab["one"].samples.get(sample_id="H-2211")
    page = page_of(client, "/files/", sample=sample.pk)
    assert "<h1>Files of H-2211</h1>" in page
    assert "2 files , 412 MB." in words_of(page).replace("\u00a0", " ")
    shown = re.findall(r'<span class="mono full-path">(.*?)</span></span>', page)
    assert [re.sub("<[^>]*>", "", path) for path in shown] == [H_R1, H_R2]
    assert 'data-copy-from=".full-path"' in page
    assert f'href="/files/paths.txt?sample={sample.pk}"' in page
    assert "missing" in words_of(page)


def test_the_files_of_a_sample_that_is_gone_are_not_all_files(client, lab):
    words = words_of(page_of(client, "/files/", sample="999999"))
    assert "No file fits." in words
    assert "Sample: 999999, which is not known (any more)" in words


# --- Hidden runs, many runs, project codes -------------------------------------------------------------


@pytest.fixture
def hidden(lab) -> SequencingRun:
    SequencingRun.objects.filter(name="run_two").update(is_hidden=True)
    return SequencingRun.objects.get(name="run_two")


def samples_and_paths(client: Client, **query: str) -> tuple[list[str], list[str]]:
    samples = [row["sample"] for row in exported(client, "/samples/export.csv", **query)]
    assert sample_ids(page_of(client, "/samples/", **query)) == samples
    paths = [row["path"] for row in exported(client, "/files/export.csv", **query)]
    assert re.findall(r'data-copy="([^"]*)"', page_of(client, "/files/", **query)) == paths
    return samples, paths


def test_what_lies_in_hidden_runs_is_left_out_until_it_is_asked_for(client, hidden):
    of_one, of_two = ["H-2211", "NTC-1", "H-22"], ["h-2211", "E-7"]
    files_of_two = [E_R1, E_R2, E_UNDETERMINED, E_OLD]
    assert samples_and_paths(client) == (of_one, [H_R1, H_R2])
    assert samples_and_paths(client, flag="hidden") == (of_two, files_of_two)
    assert samples_and_paths(client, flag="all") == (of_two + of_one, [*files_of_two, H_R1, H_R2])
    assert samples_and_paths(client, flag="bad") == ([], [])
    assert samples_and_paths(client, q="h-2211") == (["H-2211"], [H_R1, H_R2])
    assert samples_and_paths(client, about="run_two") == ([], [])
    assert samples_and_paths(client, about="run_two", flag="all") == (of_two, files_of_two)


def test_one_run_one_sample_and_what_a_path_names_are_shown_though_they_are_hidden(client, hidden):
    of_run = (["h-2211", "E-7"], [E_R1, E_R2, E_UNDETERMINED, E_OLD])
    assert samples_and_paths(client, run=hidden.pk) == of_run
    assert samples_and_paths(client, about="/archive/exome/run_two/") == of_run
    sample = hidden.samples.get(sample_id="h-2211")
    for query, paths in (
        ({"sample": sample.pk}, [E_R1, E_R2, E_OLD]),
        ({"q": "/archive/exome/run_two/old"}, [E_OLD]),
        ({"q": "/archive/exome/"}, of_run[1]),
        ({"q": "0_fastq/h-2211_S1_L001_R1_001.fastq.gz"}, [H_R1, E_R1]),
    ):
        assert [row["path"] for row in exported(client, "/files/export.csv", **query)] == paths, query
    page = page_of(client, "/files/", sample=sample.pk)
    assert 'href="/samples/?q=h-2211&amp;flag=all"' in page  # the way back finds it too


def test_a_list_that_is_empty_without_hidden_runs_leads_to_them(client, hidden):
    page = page_of(client, "/samples/", project="exome", rows_after="x")
    assert 'href="?project=exome&amp;flag=all">Look in hidden runs too</a>' in page
    assert sample_ids(page_of(client, "/samples/?project=exome&flag=all")) == ["h-2211", "E-7"]
    assert "Look in hidden" not in page_of(client, "/samples/?project=nothing&flag=all")


def test_files_of_these_samples_are_those_of_what_the_samples_are_narrowed_to(client, lab):
    page = page_of(client, "/samples/", q="h-22", group="haem", kind="sample", flag="all", sort="sample_id")
    assert 'href="/files/?q=h-22&amp;group=haem&amp;flag=all"' in page


@pytest.mark.parametrize(
    "query",
    [
        {}, {"q": "h"}, {"q": "h", "group": "haem"}, {"sort": "run"}, {"flag": "all", "before": "2026-11-30"},
        {"project": "haem"}, {"project": "haem", "after": "2026-10-01"},
    ],
)  # fmt: skip
def test_it_makes_no_difference_how_many_runs_are_asked_for_or_hidden(client, hidden, monkeypatch, query):
    few = samples_and_paths(client, **query)
    monkeypatch.setattr(run_filters, "MOST_NAMED", 0)
    assert samples_and_paths(client, **query) == few
    assert few[0]


def test_where_no_run_is_hidden_nothing_is_asked_of_a_row(client, lab):
    with CaptureQueriesContext(connection) as queries:
        client.get("/files/")
    assert not [one["sql"] for one in queries if "NOT IN" in one["sql"] or "IN ()" in one["sql"]]
    assert not [one["sql"] for one in queries if re.search(r"NOT \(.{0,60}run_id", one["sql"])]


@pytest.mark.parametrize("name", ["runs", "samples", "files"])
def test_the_known_project_codes_are_offered(client, lab, name, monkeypatch):
    add_sample(lab["one"], "X", project="")
    page = page_of(client, f"/{name}/")
    offered = re.search(r'<input[^>]* list="(\w+)"[^>]*><datalist id="\1">(.*?)</datalist>', page).group(2)
    assert re.findall('value="([^"]*)"', offered) == ["EXOME", "HAEM", "TRIO"]
    monkeypatch.setattr(projects, "MOST_OFFERED", 2)
    assert re.findall("<datalist.*?</datalist>", page_of(client, f"/{name}/")) == [
        '<datalist id="known_codes"><option value="EXOME"><option value="HAEM"></datalist>'
    ]


def test_a_code_that_is_written_in_two_ways_finds_both(client, lab):
    add_sample(lab["one"], "H-1", project="Exome")
    assert sample_ids(page_of(client, "/samples/", project="EXOME")) == ["h-2211", "E-7", "H-1"]


# --- Experiments and sequencers ------------------------------------------------------------------------


def test_experiments_tell_their_runs_and_the_last_one(client, lab):
    exome = Experiment.objects.create(name="Exome_26_1")
    Experiment.objects.create(name="Planned")
    for day, more in ((1, {}), (9, {}), (20, {"is_hidden": True}), (21, {"state": "not_scanned"})):
        add_run(name=f"exome_{day}", experiment=exome, date=date(2026, 11, day), **more)
    page = page_of(client, "/experiments/")
    assert re.findall(r'experiment=\d+">([^<]*)<', page) == ["Exome_26_1", "Haem_26_211", "Planned"]
    assert "exome_9" in page
    rows = exported(client, "/experiments/export.csv", sort="runs")
    assert [(row["experiment"], row["last run"], row["runs"]) for row in rows] == [
        ("Planned", "", "0"),
        ("Haem_26_211", "2026-11-01", "1"),
        ("Exome_26_1", "2026-11-09", "2"),
    ]
    assert "Haem_26_211" not in page_of(client, "/experiments/", q="exome")
    assert re.findall(r"exome_\d+", words_of(page_of(client, "/runs/", experiment=exome.pk))) == [
        "exome_9",
        "exome_1",
    ]


def test_sequencers_tell_since_when_they_are_silent(client):
    today = timezone.localdate()
    for serial, model, days in (("A1", "MiSeq", 0), ("A2", "MiSeq", 8), ("N1", "NextSeq 500", 40)):
        sequencer = Sequencer.objects.create(serial=serial, model=model)
        add_run(sequencer=sequencer, date=today - timedelta(days=days))
    Sequencer.objects.create(serial="N2", model="NextSeq 500")
    Sequencer.objects.filter(serial="M02027").delete()  # which every run of these tests has unless told
    words = words_of(page_of(client, "/sequencers/"))
    for silence in ("0 days", "8 days", "40 days", "no run yet"):
        assert silence in words
    for query, found in {
        "": "A1 A2 N1 N2", "q=n": "N1 N2", "q=miseq": "A1 A2", "model=MiSeq": "A1 A2", "silent=7": "A2 N1 N2",
        "silent=30": "N1 N2", "sort=-silent": "N1 A2 A1 N2", "sort=-serial": "N2 N1 A2 A1",
    }.items():  # fmt: skip
        page = client.get(f"/sequencers/?{query}").content.decode()
        assert re.findall(r'instrument=\d+">([^<]*)<', page) == found.split(), query
        rows = exported(client, f"/sequencers/export.csv?{query}")
        assert [row["sequencer"] for row in rows] == found.split()


# --- Runs and messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["run_two", "run_one"]),
        ({"state": "look"}, ["run_one"]),
        ({"project": "TRIO"}, ["run_one"]),
        ({"project": "EXOME"}, ["run_two"]),
        ({"project": "eXoMe"}, ["run_two"]),
        ({"project": "EXO"}, []),
        ({"q": "/archive/exome/"}, ["run_two"]),
        ({"q": "/archive/haem/run_one/0_fastq/x.fastq.gz"}, ["run_one"]),
        ({"sort": "date"}, ["run_one", "run_two"]),
        ({"sort": "-group"}, ["run_one", "run_two"]),
        ({"sort": "files", "page": "1"}, ["run_two", "run_one"]),
        ({"experiment": "999"}, []),
    ],
)
def test_the_file_of_runs_has_what_the_page_has(client, lab, query, found):
    SequencingRun.objects.filter(name="run_one").update(state="incomplete")
    page = page_of(client, "/runs/", **query)
    assert re.findall(r">(run_\w+)<", page) == found
    assert [row["run"] for row in exported(client, "/runs/export.csv", **query)] == found


def test_values_in_the_file_of_runs_are_plain(client):
    experiment = Experiment.objects.create(name="Haem_26_211")
    run = add_run(samples=600, missing=1, experiment=experiment, date=date(2026, 11, 1), is_bad=True)
    add_message(run)
    (row,) = exported(client, "/runs/export.csv", columns="date.found.open_messages.reads.written")
    assert list(row) == [
        "run", "experiment", "folder", "gold standard", "bad", "hidden", "legacy", "date", "FASTQs found",
        "FASTQs expected", "open messages", "reads", "last written",
    ]  # fmt: skip
    assert (row["experiment"], row["bad"], row["date"]) == ("Haem_26_211", "True", "2026-11-01")
    assert (row["FASTQs found"], row["FASTQs expected"], row["open messages"]) == ("1199", "1200", "1")
    assert row["reads"] == "'151 + 8 + 8 + 151".removeprefix("'")
    assert row["last written"] == run.updated_at.isoformat(timespec="seconds")


def test_messages_can_be_searched_and_asked_for_of_one_run(client, lab):
    add_message(lab["one"], text="RunInfo.xml is absent.")
    add_message(lab["two"], text="Odd.", place="SampleSheet.csv, row 7")
    add_message(lab["two"], text="Closed.", closed_at=timezone.now())
    for query, found in {
        "q=runinfo": ["RunInfo.xml is absent."], "q=SHEET": ["Odd."], "q=haem_26": ["RunInfo.xml is absent."],
        f"run={lab['two'].pk}": ["Odd."], f"run={lab['two'].pk}&closed=too": ["Closed.", "Odd."],
        "closed=too&sort=opened_at": ["RunInfo.xml is absent.", "Odd.", "Closed."], "run=999999": [],
        "q=nothing&closed=too": [],
    }.items():  # fmt: skip
        page = client.get(f"/messages/?{query}").content.decode()
        assert [text.strip() for text in re.findall(r'<div class="prose">([^<]*)', page)] == found, query


# --- Pages ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(samples, "SAMPLES_A_PAGE", 5)
    monkeypatch.setattr(files, "FILES_A_PAGE", 5)


def sample_ids(page: str) -> list[str]:
    return re.findall(r'<td class="sample"><a [^>]*>([^<]*)</a>', page)


@pytest.mark.parametrize("query", ["", "?sort=run", "?sort=sample_id", "?sort=-sample_id&q=s"])
def test_every_sample_stands_on_one_page_though_others_come_and_go_meanwhile(client, small_pages, query):
    runs = [add_run(), add_run()]
    names = [add_sample(runs[number % 2], f"S{number:02d}").sample_id for number in range(23)]
    seen, address, pages = [], f"/samples/{query}", 0
    while address:
        page = page_of(client, address)
        seen += [name for name in sample_ids(page) if not name.startswith("S99")]
        SequencingSample.objects.filter(
            sample_id=seen[-1]
        ).delete()  # the very row where the next page begins
        add_sample(runs[0], f"S99-{pages}", number=0)
        address, pages = link(page, "next") and f"/samples/{link(page, 'next')}", pages + 1
    assert sorted(seen) == sorted(names)
    assert len(seen) == 23


def test_pages_go_back_the_way_they_came(client, small_pages):
    run = add_run()
    for number in range(12):
        add_sample(run, f"S{number:02d}")
    first = page_of(client, "/samples/?sort=sample_id")
    second = page_of(client, f"/samples/{link(first, 'next')}")
    third = page_of(client, f"/samples/{link(second, 'next')}")
    assert (link(first, "prev"), link(third, "next")) == (None, None)
    assert sample_ids(page_of(client, f"/samples/{link(third, 'prev')}")) == sample_ids(second)
    assert sample_ids(page_of(client, f"/samples/{link(second, 'prev')}")) == sample_ids(first)
    assert sample_ids(third) == ["S10", "S11"]


def test_a_place_that_no_page_wrote_or_of_another_order_leads_to_the_beginning(client, small_pages):
    run = add_run(samples=6)
    first = page_of(client, "/files/")
    place = link(first, "next").partition("rows_after=")[2]
    assert page_of(client, "/files/?rows_after=" + place) != first
    for query in (
        f"rows_after={place[:-3]}xxx",
        f"sort=run&rows_after={place}",
        "rows_after=[1,2]",
        "page=2",
    ):
        page = client.get(f"/files/?{query}").content.decode()
        assert re.findall(r'data-copy="([^"]*)"', page)[0].startswith(f"{run.path}/0_fastq/H-0001"), query


def test_a_page_behind_the_last_row_is_empty_and_leads_back(client, small_pages):
    add_run(samples=6)
    second = link(page_of(client, "/files/"), "next")
    SequencingFile.objects.order_by("path").last().delete()
    SequencingFile.objects.filter(sample__number__gte=3).delete()
    page = page_of(client, f"/files/{second}")
    assert "No file fits" not in page.partition("<h1>")[2].partition("</div>")[0]
    assert len(re.findall(r'data-copy="/', page_of(client, f"/files/{link(page, 'prev')}"))) == 4


def test_nobody_counts_beyond_ten_thousand(client, monkeypatch):
    monkeypatch.setattr(paging, "MOST_COUNTED", 100)
    monkeypatch.setattr(files, "MOST_WEIGHED", 50)
    add_run(samples=50)
    assert "100 files ." in words_of(page_of(client, "/files/"))
    add_run(samples=1)
    with CaptureQueriesContext(connection) as queries:
        assert "More than 100 files ." in words_of(page_of(client, "/files/"))
    assert any("LIMIT 101" in query["sql"] for query in queries if "COUNT(*)" in query["sql"])


def test_a_long_file_is_read_part_by_part_without_gap_or_repeat(client, monkeypatch):
    monkeypatch.setattr(paging, "ROWS_READ_AT_ONCE", 7)
    runs = [add_run(samples=5), add_run(samples=5)]
    for query in ({}, {"sort": "run"}, {"q": "h", "sort": "-sample"}, {"project": "HAEM"}):
        paths = [row["path"] for row in exported(client, "/files/export.csv", **query)]
        assert len(paths) == len(set(paths)) == 20, query
        names = [row["sample"] for row in exported(client, "/samples/export.csv", **query)]
        assert len(names) == 10
    assert {path.rpartition("/0_fastq/")[0] for path in paths} == {run.path for run in runs}


@pytest.mark.parametrize("page", ["3", "999999", "9" * 30])
def test_behind_the_last_page_of_runs_stands_the_last_one(client, page):
    for number in range(26):
        add_run(name=f"run_{number:02d}", date=date(2026, 11, 1) + timedelta(days=number))
    shown = page_of(client, "/runs/", page=page, per_page="100000")
    assert re.findall(r">(run_\d+)<", shown) == ["run_00"]
    assert "page 2" in words_of(shown)
    assert (link(shown, "prev") is None, link(shown, "next")) == (False, None)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5"])
def test_what_is_no_page_of_runs_is_the_first_one(client, page):
    run = add_run()
    assert run.name in page_of(client, "/runs/", page=page, per_page="100000")


@pytest.mark.parametrize("name", ["runs", "experiments", "sequencers"])
def test_of_no_rows_every_page_is_the_first_and_empty(client, name):
    Sequencer.objects.all().delete()
    assert "is known yet" in page_of(client, f"/{name}/", page="7")


def test_nobody_can_ask_for_more_rows_a_page(client):
    for _ in range(30):
        add_run()
    assert page_of(client, "/runs/", per_page="1000").count('<td class="run">') == 25


# --- Columns -------------------------------------------------------------------------------------------


def headings(page: str) -> list[str]:
    return re.findall(r'scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', page)


def choose(client: Client, **data):
    return client.post("/columns/", data)


def test_chosen_columns_are_remembered_in_this_browser(client, lab):
    response = choose(client, list="samples", column=["run", "indexes"], query="kind=control&sort=run")
    assert response.headers["Location"] == "/samples/?kind=control&sort=run&columns=sample_id.run.indexes"
    assert headings(page_of(client, "/samples/")) == ["Sample", "Run", "Index"]
    assert list(exported(client, "/samples/export.csv")[0]) == [
        "sample", "sample name", "control", "failed", "run", "experiment", "index",
    ]  # fmt: skip
    other = Client()
    other.force_login(User.objects.get(username="labstaff"))
    assert headings(page_of(other, "/samples/")) == ["Sample", "Project", "Run", "Date", "FASTQs found"]


def test_a_link_with_columns_shows_the_same_to_everybody(client, lab):
    choose(client, list="files", column=["state"])
    page = page_of(client, "/files/", columns="run.path.nonsense", state="missing")
    assert headings(page) == ["File", "Run"]
    assert 'href="/files/export.csv?columns=path.run&amp;state=missing"' in page
    assert headings(page_of(client, "/files/", columns="nonsense")) == [
        "File",
        "State",
        "Sample",
        "Read",
        "Run",
    ]


def test_the_usual_columns_come_back(client, lab):
    choose(client, list="runs", column=["flowcell"])
    assert headings(page_of(client, "/runs/")) == ["Run", "Flow cell"]
    response = choose(
        client, list="runs", usual="yes", column=["flowcell"], query="columns=name.flowcell&q=x"
    )
    assert response.headers["Location"] == "/runs/?q=x"
    assert headings(page_of(client, "/runs/"))[1] == "Instrument"


def test_choosing_columns_writes_nothing_here_and_looking_sets_no_cookie(client, lab):
    client.get("/runs/")
    with CaptureQueriesContext(connection) as queries:
        choose(client, list="runs", column=["flowcell"])
    assert not [one["sql"] for one in queries if not one["sql"].startswith("SELECT")]
    client.cookies.pop("columns_runs")
    assert "columns_runs" not in client.get("/runs/?columns=name.date").cookies


def test_columns_of_a_list_that_is_not_there_are_refused(client):
    assert choose(client, list="users", column=["password"]).status_code == 400


def test_whoever_chooses_columns_is_led_nowhere_else(client):
    response = choose(client, list="runs", column=["date"], query="next=//evil.example&q=//evil.example")
    assert response.headers["Location"].startswith("/runs/?")


@pytest.mark.parametrize("name", LISTS)
def test_every_column_can_be_shown_and_exported(client, lab, name):
    page = page_of(client, f"/{name}/")
    every = re.findall(r'name="column" value="(\w+)"', page)
    shown = page_of(client, f"/{name}/", columns=".".join(every))
    assert len(headings(shown)) == len(every) + 1
    assert exported(client, f"/{name}/export.csv", columns=".".join(every))


def test_columns_of_sequencers_and_experiments_are_chosen_as_those_of_runs(client, lab):
    response = choose(client, list="sequencers", column=["silent"], query="q=NB501009")
    assert response.headers["Location"] == "/sequencers/?q=NB501009&columns=serial.silent"
    assert headings(page_of(client, "/sequencers/")) == ["Sequencer", "Silent for"]
    days = (timezone.localdate() - date(2026, 11, 5)).days
    assert exported(client, "/sequencers/export.csv", q="NB501009") == [
        {"sequencer": "NB501009", "days silent": str(max(0, days))}
    ]
    page = page_of(client, "/experiments/", columns="name.runs")
    assert headings(page) == ["Experiment", "Runs"]
    assert 'href="/experiments/export.csv?columns=name.runs"' in page
    assert list(exported(client, "/experiments/export.csv", columns="name.runs")[0]) == ["experiment", "runs"]


# --- What holds for every list -------------------------------------------------------------------------

HOSTILE = "=<script>alert('x')</script>\x1b[31m\u202egnp.exe"


@pytest.mark.parametrize("name", LISTS)
def test_promise_51_hostile_names_are_inert_on_the_page_and_in_the_file(client, name):
    run = add_run(
        **dict.fromkeys(("name", "group", "state_reason", "flowcell", "chemistry"), HOSTILE),
        path=f"/archive/{HOSTILE}",
        experiment=Experiment.objects.create(name=HOSTILE),
        sequencer=Sequencer.objects.create(serial=HOSTILE, model=HOSTILE),
    )
    sample = add_sample(run, HOSTILE, project=HOSTILE, sample_name=f"{HOSTILE}2", indexes=HOSTILE)
    add_file(run, sample, 1, "=R1", path=HOSTILE).save()
    every = "name.flowcell.reads.group.state.run.indexes.instrument.project.sample.path.read.lanes.found"
    for address in (
        f"/{name}/?columns={every}",
        f"/{name}/?q={HOSTILE}&columns={every}",
        f"/{name}/?run={run.pk}",
    ):
        page = page_of(client, address)
        assert "gnp.exe" in page
        assert "<script>alert" not in page
        shown = re.sub(r'(value|data-copy|href|title)="[^"]*"', "", page)
        assert not {"\x1b", "\u202e"} & set(shown)
    text = b"".join(client.get(f"/{name}/export.csv", {"columns": every})).decode("utf-8-sig")
    assert not {"\x1b", "\u202e"} & set(text)
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not [cell for cell in row if cell.startswith("=")]


def add_rows(count: int) -> None:
    for number in range(count):
        experiment = Experiment.objects.create(name=f"E{number}-{count}")
        sequencer = Sequencer.objects.create(serial=f"S{number}-{count}", model=f"Model {number % 3}")
        add_message(add_run(samples=2, missing=1, experiment=experiment, sequencer=sequencer))


@pytest.mark.parametrize(
    "address",
    [
        "/runs/", "/runs/?project=HAEM&state=look", "/samples/", "/samples/?q=H&files=missing", "/files/",
        "/files/?q=h-&state=missing", "/files/?about=26", "/experiments/", "/sequencers/", "/messages/?q=run",
        "/runs/export.csv", "/samples/export.csv", "/files/export.csv", "/files/paths.txt",
        "/experiments/export.csv", "/sequencers/export.csv",
    ],
)  # fmt: skip
def test_queries_do_not_grow_with_the_rows(client, address, django_assert_num_queries):
    def ask():
        response = client.get(address)
        return b"".join(response) if response.streaming else response.content

    add_rows(26)  # more than a page of each
    ask()
    with CaptureQueriesContext(connection) as few:
        ask()
    add_rows(20)
    with django_assert_num_queries(len(few)):
        assert ask()
    assert len(few) <= 15


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_says_what_will_appear_and_how(client, name):
    words = words_of(page_of(client, f"/{name}/"))
    assert re.search(r"No \w+ is known yet\. Scan the disks :", words)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_a_name_and_headings_that_readers_of_screens_find(client, lab, name):
    page = page_of(client, f"/{name}/")
    title = re.search("<h1>(.*?)</h1>", page).group(1)
    assert f'<caption class="visually-hidden">{title}</caption>' in page
    assert page.count("<th ") == page.count('scope="col"')


def test_all_filters_can_be_cleared_at_once_and_the_list_stays_as_it_is_sorted(client, lab):
    page = page_of(
        client, "/files/", q="h", state="missing", sort="-sample", columns="path.run", rows_after="x"
    )
    chips = [unescape(href) for href in re.findall(r'<a class="chip" href="\?([^"]*)"', page)]
    assert chips == ["state=missing&sort=-sample&columns=path.run", "q=h&sort=-sample&columns=path.run"]
    assert 'href="?sort=-sample&amp;columns=path.run">clear all</a>' in page
    assert '<input type="hidden" name="columns" value="path.run">' in page


SORT_FIELD = re.compile(r'<select[^>]* name="sort"[^>]*>(.*?)</select>')


@pytest.mark.parametrize("name", [*LISTS, "messages"])
def test_where_no_headings_show_one_field_sorts_by_what_they_would(client, lab, name):
    page = page_of(client, f"/{name}/")
    offered = re.findall('<option value="([^"]*)"( selected)?>', SORT_FIELD.search(page).group(1))
    headings = [sort.removeprefix("-") for sort in re.findall(r'<a href="\?sort=([^"]*)">', page)]
    assert headings
    assert offered == [("", ""), *((f"{way}{name}", "") for name in headings for way in ("", "-"))]


def test_the_form_sends_along_once_how_the_list_is_sorted(client, lab):
    page = page_of(client, "/files/", sort="run", state="missing")
    assert re.findall(r'<option value="([^"]*)" selected', SORT_FIELD.search(page).group(1)) == ["run"]
    assert page.count('name="sort"') == 1
    unknown = SORT_FIELD.search(page_of(client, "/files/", sort="nonsense")).group(1)
    assert " selected" not in unknown


def test_the_menu_leads_to_every_list(client):
    page = page_of(client, "/runs/")
    for name in (*LISTS, "messages"):
        assert f'href="/{name}/"' in page


@pytest.mark.parametrize(
    "query", ["state=mising", "group=gone", "after=the+day+before", "instrument=model:None", "q=a%00b"]
)
def test_a_filter_that_is_not_known_shows_nothing_and_never_everything(client, lab, query):
    response = client.get(f"/runs/?{query}")
    assert "not known (any more)" in response.content.decode()
    assert exported(client, f"/runs/export.csv?{query}") == []
