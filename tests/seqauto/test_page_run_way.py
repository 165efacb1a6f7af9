"""A run's way from instrument to archive: the strip of stages, when it refreshes, the timeline."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from delivery_rows import add_delivery, fail
from django.contrib.auth.models import User
from django.utils import timezone
from page_rows import add_run, add_scan

from seqauto.models import Delivery, Hold, Removal, SequencingRun
from seqauto.models.clean_up import RemovalState
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def user(client, settings) -> User:
    settings.SEQAUTO_INCOMING_DIRS = ["/incoming"]
    settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR = "/backup", "/fastq"
    settings.SEQAUTO_S3_FASTQ_BUCKET = "lab-fastq"
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


def run_of(delivery: Delivery, **fields) -> SequencingRun:
    """The run that the delivery brought, as a scan knows it."""
    return add_run(**{"identity": delivery.identity, "name": delivery.name, "fingerprint": "f"} | fields)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ").split())


def strip(client, run: SequencingRun) -> str:
    body = client.get(run.get_absolute_url()).content.decode()
    return re.search(r'<section class="panel" id="way".*?</section>', body, re.S)[0]


def stages(client, run: SequencingRun) -> dict[str, tuple[str, str]]:
    """Look and text of each chip of the strip, by the first word of the text."""
    chips = re.findall(r'<li class="chip">(.*?)</li>', strip(client, run), re.S)
    looks = [re.search(r'class="state (\w+)"', chip)[1] for chip in chips]
    assert all('class="bi bi-' in chip for chip in chips)  # a sign besides the colour
    texts = [words(re.sub(r'<span class="visually-hidden">.*?</span>', "", chip)) for chip in chips]
    return {text.partition(" ")[0]: (look, text) for look, text in zip(looks, texts, strict=True)}


# --- Stages --------------------------------------------------------------------------------------------


def test_a_delivered_run_tells_each_stage_with_its_figure(client):
    delivery = add_delivery()
    complete = delivery.found_at + timedelta(hours=28, minutes=10)
    Delivery.objects.filter(pk=delivery.pk).update(complete_at=complete)
    told = stages(client, run_of(delivery, samples=12, missing=2))
    assert list(told) == ["Sequenced", "Backed", "Converted", "Uploaded", "On", "Safe"]
    assert told["Sequenced"] == ("ok", "Sequenced 28 h 10 m")
    assert told["Backed"] == ("ok", "Backed up 14 GB verified, 2 m 11 s")
    assert told["Converted"] == ("ok", "Converted bcl-convert 4.3.6, 2 m 11 s")
    assert told["Uploaded"] == ("ok", "Uploaded 24 files, 9.9 GB verified, 2 m 11 s")
    assert told["On"] == ("warn", "On archive 22 of 24")
    assert re.fullmatch(r"Safe to delete not yet, \d+ of \d+ gates passed", told["Safe"][1])


def test_a_run_without_a_delivery_says_that_its_way_is_not_known_here(client):
    told = stages(client, add_run(samples=1))
    assert told.pop("Sequenced")[0] == "ok"
    assert told.pop("On") == ("ok", "On archive 2 of 2")
    assert {text for _look, text in told.values()} == {
        "Backed up not known here",
        "Converted not known here",
        "Uploaded not known here",
        "Safe to delete not known here",
    }
    assert {look for look, _text in told.values()} == {"idle"}


def test_where_no_incoming_disk_is_watched_the_stages_of_deliveries_are_off(client, settings):
    settings.SEQAUTO_INCOMING_DIRS = []
    told = stages(client, add_run(samples=1))
    assert [told[name][1] for name in ("Backed", "Converted", "Uploaded", "Safe")] == [
        "Backed up off",
        "Converted off",
        "Uploaded off",
        "Safe to delete off",
    ]


@pytest.mark.parametrize(
    ("state", "chip"),
    [
        (DeliveryState.SEQUENCING, ("run", "Sequencing cycle 120 of 318")),
        (DeliveryState.STALLED, ("warn", "Sequencing cycle 120 of 318")),
        (DeliveryState.RUN_FAILED, ("bad", "Sequenced the run failed")),
        (DeliveryState.CONFLICT, ("idle", "Sequenced not known here")),
    ],
)
def test_a_run_that_has_not_ended_well_says_how_it_stands(client, state, chip):
    run = run_of(add_delivery(state, cycles=120, cycles_total=318, complete_at=None))
    assert next(iter(stages(client, run).values())) == chip


@pytest.mark.parametrize(
    ("state", "chip"),
    [
        (StepState.WAITING, ("idle", "Convert not yet")),
        (StepState.QUEUED, ("wait", "Convert waits its turn")),
        (StepState.RUNNING, ("run", "Converting 41 %, about 1 m 26 s left")),
        (StepState.FAILED, ("bad", "Convert failed")),
        (StepState.DONE, ("ok", "Converted bcl-convert 4.3.6, 2 m 11 s")),
    ],
)
def test_a_step_tells_its_state_by_sign_word_and_figure(client, state, chip):
    steps = (StepState.DONE, StepState.DONE, state, StepState.WAITING)
    told = stages(client, run_of(add_delivery(DeliveryState.DELIVERING, steps)))
    look, text = told[chip[1].partition(" ")[0]]
    assert (look, re.sub(r"1 m 2\d s", "1 m 26 s", text)) == chip


def test_a_step_without_a_place_to_work_in_is_off_and_says_which_setting(client, settings):
    settings.SEQAUTO_S3_FASTQ_BUCKET = ""
    run = run_of(add_delivery(DeliveryState.DELIVERING))
    assert stages(client, run)["Upload"] == ("idle", "Upload off")
    assert "SEQAUTO_S3_FASTQ_BUCKET names no place for it." in strip(client, run)


def test_steps_of_a_held_delivery_are_on_hold(client):
    told = stages(client, run_of(add_delivery(DeliveryState.HELD, is_held=True)))
    assert told["Upload"] == ("idle", "Upload on hold")


def test_a_handover_stands_in_the_strip_where_there_is_one(client):
    delivery = add_delivery()
    delivery.steps.create(
        kind=StepKind.SUBMIT, place=5, state=StepState.DONE, figures={"submissions": [{}, {}]}
    )
    assert stages(client, run_of(delivery))["Submitted"] == ("ok", "Submitted 2 jobs")


@pytest.mark.parametrize(
    ("fields", "chip"),
    [
        ({"state": RunState.DELETED}, ("bad", "On archive gone")),
        ({"state": RunState.NOT_SCANNED}, ("idle", "On archive no longer scanned")),
        ({"state": RunState.SKIPPED}, ("idle", "On archive skipped")),
        ({"state": RunState.RUNNING}, ("idle", "On archive not yet")),
        ({}, ("idle", "On archive nothing expected")),
        ({"state": RunState.ERROR}, ("bad", "On archive cannot be told")),
        ({"state": RunState.ERROR, "samples": 1}, ("bad", "On archive 2 of 2")),
    ],
)
def test_the_archive_s_stage_follows_the_run_s_state(client, fields, chip):
    assert stages(client, add_run(**fields))["On"] == chip


@pytest.mark.parametrize(
    "figures", [{}, [], {"projects": [7], "files": "x"}, {"bytes": "much", "projects": [{"objects": [3]}]}]
)
def test_figures_of_any_kind_break_no_strip(client, figures):
    delivery = add_delivery(DeliveryState.DELIVERING, (StepState.DONE,) * 4)
    delivery.steps.update(figures=figures)
    run = run_of(delivery)
    assert len(stages(client, run)) == 6
    assert client.get(f"{run.get_absolute_url()}timeline/").status_code == 200


# --- Safe to delete ------------------------------------------------------------------------------------


def test_a_run_that_is_held_says_so_on_hover(client):
    delivery = add_delivery()
    Hold.objects.create(delivery=delivery, user_name="anna", reason="A trial")
    assert "Held by anna: A trial." in strip(client, run_of(delivery))


def test_a_run_whose_rule_is_off_says_so(client, settings):
    settings.SEQAUTO_CLEAN_UP_RULES = {"source": {"enabled": False}}
    assert stages(client, run_of(add_delivery()))["Safe"] == ("idle", "Safe to delete off")


@pytest.mark.parametrize(
    ("state", "chip"),
    [
        (RemovalState.REMOVED, "idle"),
        (RemovalState.QUARANTINED, "wait"),
        (RemovalState.STOPPED, "bad"),
    ],
)
def test_a_removal_stands_in_its_place_with_a_link(client, state, chip):
    delivery = add_delivery()
    removal = Removal.objects.create(
        delivery=delivery, target="source", path=delivery.path, state=state, ended_at=timezone.now()
    )
    run = run_of(delivery)
    assert stages(client, run)["Run"][0] == chip
    assert f'href="/clean-up/{removal.pk}/"' in strip(client, run)


def test_a_removal_that_was_put_back_leaves_the_gates_as_they_are(client):
    delivery = add_delivery()
    Removal.objects.create(delivery=delivery, target="source", path="/x", state=RemovalState.PUT_BACK)
    assert "gates passed" in stages(client, run_of(delivery))["Safe"][1]


# --- While something is in hand ------------------------------------------------------------------------


def polls(html: str) -> bool:
    return "hx-get" in re.search(r'<section class="panel" id="way"[^>]*>', html)[0]


def test_the_strip_asks_again_while_a_delivery_is_in_hand_and_stops_after(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    run = run_of(delivery)
    page = client.get(run.get_absolute_url()).content.decode()
    assert polls(page)
    seen = re.search(r"live/\?seen=(\w+)", page)[1]
    same = client.get(f"{run.get_absolute_url()}live/?seen={seen}")
    assert polls(same.content.decode())
    assert "HX-Trigger-After-Settle" not in same.headers
    delivery.steps.update(state=StepState.DONE)
    Delivery.objects.filter(pk=delivery.pk).update(state=DeliveryState.DELIVERED)
    after = client.get(f"{run.get_absolute_url()}live/?seen={seen}")
    assert not polls(after.content.decode())
    assert after.headers["HX-Trigger-After-Settle"] == "run-moved-on"
    assert 'hx-trigger="run-moved-on from:body"' in page


def test_a_run_that_nothing_is_done_to_asks_nobody_again(client):
    assert not polls(strip(client, run_of(add_delivery())))
    assert not polls(strip(client, add_run()))


def test_a_delivery_whose_folder_nobody_watches_is_not_asked_about_for_ever(client, settings):
    settings.SEQAUTO_INCOMING_DIRS = ["/elsewhere"]
    steps = (StepState.DONE, StepState.QUEUED, StepState.WAITING, StepState.WAITING)
    assert not polls(strip(client, run_of(add_delivery(DeliveryState.DELIVERING, steps))))


@pytest.mark.parametrize("status", [ScanStatus.CREATED, ScanStatus.CREATE_MODELS])
def test_the_strip_asks_again_until_a_rescan_has_read_the_run(client, status):
    add_scan(status)
    run = add_run(fingerprint="")
    assert polls(strip(client, run))
    SequencingRun.objects.filter(pk=run.pk).update(fingerprint="f")
    assert not polls(strip(client, run))


def test_what_waits_for_a_person_stands_on_the_files_page_with_why_and_the_next_step(client):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    run = run_of(delivery)
    page = client.get(run.get_absolute_url()).content.decode()
    assert "SampleSheet.csv has 2 errors, so nothing was converted." in page
    assert "Mend the rows below, save the sheet into the run folder, then press Retry." in page
    assert f'href="{delivery.get_absolute_url()}">Open its delivery</a>' in page


# --- Timeline ------------------------------------------------------------------------------------------


def timeline(client, run: SequencingRun) -> str:
    return words(client.get(f"{run.get_absolute_url()}timeline/").content.decode())


def written_at(run: SequencingRun, first: datetime, step: timedelta) -> None:
    for place, file in enumerate(run.files.order_by("path")):
        file.mtime_ns = int((first + step * place).timestamp()) * 10**9
        file.save()


def test_the_timeline_tells_what_happened_in_its_order_from_first_byte_to_last_fastq(client):
    delivery = add_delivery(ago=timedelta(hours=40))
    delivery.found_at = delivery.found_at.replace(microsecond=0)
    delivery.save()
    run = run_of(delivery, samples=2, first_scan=add_scan())
    written_at(run, delivery.found_at + timedelta(hours=29), timedelta(minutes=20))
    page = timeline(client, run)
    order = [
        "30 h 0 m from the first sight of its folder to the last FASTQ",
        "Folder first seen on the incoming disk",
        "Settled",
        "Backed up",
        "Converted",
        "Uploaded",
        "Delivered",
        "First FASTQ written",
        "Last FASTQ written",
        "First seen on the archive",
    ]
    places = [page.index(text, page.index("History")) for text in order]
    assert places == sorted(places)


def test_the_delivery_stands_beside_the_timeline_with_what_it_waits_for(client):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    page = timeline(client, run_of(delivery))
    assert "Delivery Waits for a person SampleSheet.csv has 2 errors" in page
    assert "Convert failed" in page


def test_a_run_without_a_delivery_still_tells_its_fastqs_and_its_first_scan(client):
    run = add_run(samples=1)
    written_at(run, datetime(2026, 11, 20, 3, 30, tzinfo=UTC), timedelta(minutes=1))
    page = timeline(client, run)
    assert "when its first byte was written is not known here" in page
    assert page.index("First FASTQ written") < page.index("Last FASTQ written")
    assert "None is known here." in page


@pytest.mark.parametrize("mtime_ns", [2**62, -(2**62), 0])
def test_a_file_of_an_absurd_time_breaks_neither_timeline_nor_csv(client, mtime_ns):
    run = add_run(samples=1)
    run.files.update(mtime_ns=mtime_ns)
    assert client.get(f"{run.get_absolute_url()}timeline/").status_code == 200
    assert len(client.get(f"{run.get_absolute_url()}files.csv").getvalue().decode().splitlines()) == 3


def test_files_that_are_gone_or_missing_do_not_count_as_written(client):
    run = add_run(samples=1, missing=1)
    written_at(run, datetime(2026, 11, 20, tzinfo=UTC), timedelta(days=1))
    page = timeline(client, run)
    assert "FASTQs written" in page
    assert "First FASTQ written" not in page
