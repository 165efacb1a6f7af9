"""Safe to delete: what it says first, gates from the database alone, holds, decisions, certificates."""

import re
from datetime import timedelta

import pytest
from delivery_rows import GIGABYTE, add_delivery
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from seqauto import clean_up as story
from seqauto.gates import Gate
from seqauto.models import AuditEntry, Delivery, Hold, Proof, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState, StepKind
from seqauto.views import clean_up as views
from sequencing.s3 import META_NAME

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"
INERT = r"&lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m\u202e"


@pytest.fixture(autouse=True)
def plain(client) -> User:
    user = User.objects.create_user("plain")
    client.force_login(user)
    return user


@pytest.fixture
def cleaner(client) -> User:
    return log_in(client, "cleaner", "seqauto_clean_up", "seqauto_hold", "seqauto_clean_up_approve")


def log_in(client, name: str, *permissions: str) -> User:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return user


def ripe_run(days: float = 40, **fields) -> Delivery:
    """A delivered run of which the database knows nothing that keeps it here."""
    delivery = add_delivery(ago=timedelta(days=days), listing="a" * 64, **fields)
    proven_at = (delivery.found_at + timedelta(hours=1)).isoformat()
    steps = {step.kind: step for step in delivery.steps.all()}
    steps[StepKind.CONVERT].figures["run_listing"] = delivery.listing
    steps[StepKind.BACK_UP].figures["verified_at"] = proven_at
    for project in steps[StepKind.UPLOAD].figures["projects"]:
        project["uploaded_at"] = proven_at
        project["objects"].append({"key": f"{project['prefix']}/{META_NAME}", "size": 9, "checksum": ""})
        for one in project["objects"]:
            one["checksum"] = "md5 d41d8cd98f00b204e9800998ecf8427e"
    for step in steps.values():
        step.save()
    Proof.objects.create(delivery=delivery, what=Proof.What.BACKUP, is_good=True, bytes=14 * GIGABYTE)
    return delivery


def add_removal(delivery: Delivery, state: str = RemovalState.PROPOSED, **fields) -> Removal:
    values = {"target": Target.SOURCE, "path": delivery.path, "bytes": 14 * GIGABYTE, "proposed_by": "anna"}
    return Removal.objects.create(delivery=delivery, state=state, **(values | fields))


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


def page(client, query: str = "") -> str:
    return text_of(client.get(f"/clean-up/{query}"))


def messages_of(response) -> str:
    return " ".join(str(message) for message in response.context["messages"])


# --- What it says first --------------------------------------------------------------------------------


def test_the_first_lines_say_what_could_go_and_what_waits_for_a_person(client, settings):
    settings.SEQAUTO_CLEAN_UP_APPROVAL = True
    ripe_run()
    ripe_run(days=5)
    add_removal(add_delivery())
    said = page(client)
    assert "2 folders of 1 run could go, 24 GB , as far as the database knows" in said
    assert "1 waits for a person" in said
    assert "A second person must approve it." in said


def test_a_page_without_anything_says_what_will_stand_there(client):
    said = page(client)
    assert "Nothing could go now, as far as the database knows. Nothing waits for a person." in said
    for sentence in ("Once a run is delivered", "No run is held.", "Nothing was removed yet."):
        assert sentence in said
    assert "csrfmiddlewaretoken" not in client.get("/clean-up/").content.decode().partition("<main")[2]


def test_beyond_the_runs_weighed_it_says_at_least(client, monkeypatch):
    monkeypatch.setattr(views, "RUNS_WEIGHED", 1)
    ripe_run()
    ripe_run()
    assert "2 folders of 1 run could go at least" in page(client)


# --- Candidates and their gates ------------------------------------------------------------------------


def test_promise_29_every_gate_is_shown_with_its_evidence_or_as_not_looked_at(client):
    ripe_run()
    said = page(client)
    assert "9 of 14 gates passed, 5 are looked at when it is proposed" in said
    assert "Read again on" in said
    assert "25 objects, 9,888,000,009 bytes, in s3://lab-fastq, each with its MD5." in said
    assert (
        "Every object is in S3 with our checksum : not looked at now Looked at when it is proposed." in said
    )


def test_a_closed_gate_says_why_and_offers_nothing(client, cleaner):
    ripe_run(days=5)
    response = client.get("/clean-up/")
    assert "Must stay Everything has been proven for long enough: no." in text_of(response)
    assert "/propose/" not in response.content.decode()


def test_a_held_run_must_stay(client):
    Hold.objects.create(delivery=ripe_run(), user_name="bea", reason="A trial")
    said = page(client)
    assert "Nothing could go now" in said
    assert "Nobody holds it: no. bea holds it: A trial" in said


def test_what_was_removed_or_is_on_its_way_is_no_candidate(client):
    delivery = ripe_run()
    add_removal(delivery, RemovalState.REMOVED, ended_at=timezone.now())
    add_removal(delivery, RemovalState.QUARANTINED, target=Target.FASTQS, quarantined_at=timezone.now())
    assert list(client.get("/clean-up/").context["candidates"]) == []


def test_a_rule_that_is_on_for_backups_shows_them_too(client, settings):
    settings.SEQAUTO_CLEAN_UP_RULES = {"backup": {"enabled": True}}
    ripe_run()
    targets = [one.target for one in client.get("/clean-up/").context["candidates"]]
    assert targets == [Target.SOURCE, Target.FASTQS, Target.BACKUP]


def test_the_pages_of_candidates_are_walked_by_key(client, monkeypatch):
    monkeypatch.setattr(views, "RUNS_A_PAGE", 1)
    first, second = ripe_run(), ripe_run()
    response = client.get("/clean-up/")
    assert {one.delivery for one in response.context["candidates"]} == {first}
    assert f"?after={first.pk}" in response.content.decode()
    assert {one.delivery for one in client.get(f"/clean-up/?after={first.pk}").context["candidates"]} == {
        second
    }


def test_more_rows_ask_no_more_questions(client):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/clean-up/")
        return len(asked)

    def add_rows() -> None:
        delivery = ripe_run()
        add_removal(delivery, RemovalState.QUARANTINED, quarantined_at=timezone.now())
        add_removal(add_delivery(), RemovalState.REMOVED, ended_at=timezone.now())
        Hold.objects.create(delivery=add_delivery(), user_name="bea", reason="A trial")

    add_rows()
    few = questions()
    for _ in range(5):
        add_rows()
    assert questions() == few


def test_looking_at_the_page_asks_no_disk_and_no_bucket(client, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("A page has looked.")

    for name in ("list_folder", "looks_of", "s3_client", "is_gone"):
        monkeypatch.setattr(f"seqauto.clean_up_facts.{name}", refuse)
    ripe_run()
    assert client.get("/clean-up/").status_code == 200


# --- Decisions -----------------------------------------------------------------------------------------


def let_all_gates_be_open(monkeypatch) -> None:
    """The facts are gathered from disks and S3, which have their own tests."""

    def candidate(delivery, target, _rules):
        gate = Gate("rule", "The rule for it is switched on", True, True, "It is.")
        return story.Candidate(delivery, target, delivery.path, 3, 14 * GIGABYTE, (gate,))

    monkeypatch.setattr(story, "candidate", candidate)


def test_a_proposal_is_written_down_and_waits_for_another_person(client, cleaner, monkeypatch, settings):
    settings.SEQAUTO_CLEAN_UP_APPROVAL = True
    let_all_gates_be_open(monkeypatch)
    delivery = ripe_run()
    client.post(reverse("clean_up_propose", args=[delivery.pk]), {"target": "source"})
    removal = Removal.objects.get()
    assert (removal.state, removal.proposed_by) == (RemovalState.PROPOSED, "cleaner")
    assert "You proposed it, so another person must approve it." in page(client)
    response = client.post(reverse("clean_up_approve", args=[removal.pk]), follow=True)
    assert "Another person must approve it" in messages_of(response)
    log_in(client, "second", "seqauto_clean_up_approve")
    assert reverse("clean_up_approve", args=[removal.pk]) in client.get("/clean-up/").content.decode()
    client.post(reverse("clean_up_approve", args=[removal.pk]))
    removal.refresh_from_db()
    assert (removal.state, removal.approved_by) == (RemovalState.APPROVED, "second")


def test_promise_29_a_proposal_looks_at_everything_and_is_refused_where_the_disk_is_not_there(
    client, cleaner, monkeypatch
):
    monkeypatch.setattr("seqauto.clean_up_facts.s3_client", no_answer)
    delivery = ripe_run()
    address = reverse("clean_up_propose", args=[delivery.pk])
    response = client.post(address, {"target": "source"}, follow=True)
    assert "Nothing was changed." in messages_of(response)
    assert "must stay" in messages_of(response)
    assert not Removal.objects.exists()


def no_answer(*_args):
    raise OSError("no answer")


def test_no_target_but_the_known_ones_is_proposed(client, cleaner):
    address = reverse("clean_up_propose", args=[ripe_run().pk])
    assert client.post(address, {"target": "../etc"}).status_code == 404


def test_promise_34_a_hold_needs_a_reason_and_shows_who_why_until_when(client, cleaner):
    delivery = ripe_run()
    address = reverse("clean_up_hold")
    response = client.post(address, {"run": delivery.name, "reason": " "}, follow=True)
    assert "Say why" in messages_of(response)
    until = (timezone.now() + timedelta(days=30)).date()
    client.post(address, {"run": delivery.path, "reason": "A trial", "until": until.isoformat()})
    hold = Hold.objects.get()
    assert (hold.user_name, hold.until) == ("cleaner", until)
    assert f"{delivery.name} : A trial cleaner" in page(client)
    client.post(reverse("clean_up_release", args=[hold.pk]), {"reason": ""})
    assert Hold.objects.get().released_at is None
    client.post(reverse("clean_up_release", args=[hold.pk]), {"reason": "The trial is over"})
    assert Hold.objects.get().released_by == "cleaner"
    assert AuditEntry.objects.latest("pk").reason == "The trial is over"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"run": "no such run"}, "No run is called so"),
        ({"run": "twice"}, "Several runs are called so"),
        ({"run": "twice", "until": "2001-01-01"}, "lies in the future"),
        ({"run": "twice", "until": "soon"}, "Enter a valid date"),
    ],
)
def test_a_hold_that_means_nothing_is_refused_in_words(client, cleaner, data, said):
    add_delivery(name="twice")
    add_delivery(name="twice")
    response = client.post(reverse("clean_up_hold"), data | {"reason": "why"}, follow=True)
    assert said in messages_of(response)
    assert not Hold.objects.exists()


def test_a_removal_that_is_withdrawn_or_goes_on_needs_a_reason(client, cleaner, tmp_path):
    delivery = ripe_run(root=str(tmp_path), path=str(tmp_path / "run"))
    removal = add_removal(delivery, RemovalState.STOPPED, error="The limit", remedy="Look.")
    for name in ("clean_up_go_on", "clean_up_withdraw"):
        client.post(reverse(name, args=[removal.pk]), {"reason": ""})
        removal.refresh_from_db()
        assert removal.state == RemovalState.STOPPED
    client.post(reverse("clean_up_go_on", args=[removal.pk]), {"reason": "Looked at"})
    removal.refresh_from_db()
    assert removal.state == RemovalState.PROPOSED
    client.post(reverse("clean_up_withdraw", args=[removal.pk]), {"reason": "Needed"})
    removal.refresh_from_db()
    assert (removal.state, removal.error) == (RemovalState.PUT_BACK, "Needed")


def test_who_may_nothing_is_offered_nothing(client):
    delivery = ripe_run()
    removal = add_removal(delivery, RemovalState.STOPPED)
    Hold.objects.create(delivery=add_delivery(), user_name="bea", reason="A trial")
    for address in ("/clean-up/", f"/clean-up/{removal.pk}/"):
        assert "csrfmiddlewaretoken" not in client.get(address).content.decode().partition("<main")[2]


# --- What is on its way, and certificates --------------------------------------------------------------


def test_quarantine_says_until_when_it_can_be_put_back(client, cleaner):
    add_removal(ripe_run(), RemovalState.QUARANTINED, quarantined_at=timezone.now(), tombstone="stone")
    said = page(client)
    assert "1 on the way out" in said
    assert "Can be put back; removed for ever after" in said
    assert "Put back" in said


def test_the_certificate_tells_what_who_when_rule_and_evidence(client):
    removal = add_removal(
        add_delivery(state=DeliveryState.GONE),
        RemovalState.REMOVED,
        files=4812,
        approved_by="bea",
        approved_at=timezone.now(),
        ended_at=timezone.now(),
        rule={"days": 21, "proof_days": 30, "version": "1"},
        evidence=[{"name": "age", "sentence": "Old enough", "passed": True, "evidence": "25 days"}],
        manifest="file\t1\t2\tabc\tRunInfo.xml\n",
    )
    said = text_of(client.get(f"/clean-up/{removal.pk}/"))
    for part in (
        "Deletion certificate",
        "4,812 files, 14 GB",
        "anna",
        "bea",
        "21 days",
        "Old enough 25 days",
    ):
        assert part in said
    response = client.get(f"/clean-up/{removal.pk}/manifest/")
    assert response.content.decode() == removal.manifest
    assert response["Content-Disposition"] == f'attachment; filename="removal_{removal.pk}_manifest.txt"'


def test_a_removal_without_manifest_offers_none(client):
    removal = add_removal(add_delivery())
    assert "Manifest" not in text_of(client.get(f"/clean-up/{removal.pk}/"))
    assert client.get(f"/clean-up/{removal.pk}/manifest/").status_code == 404


def test_older_certificates_are_found_page_by_page(client, monkeypatch):
    monkeypatch.setattr(views, "REMOVED_SHOWN", 1)
    old, new = (add_removal(add_delivery(), RemovalState.REMOVED, ended_at=timezone.now()) for _ in range(2))
    assert client.get("/clean-up/").context["ended"] == [new]
    assert client.get(f"/clean-up/?before={new.pk}").context["ended"] == [old]


@pytest.mark.parametrize("query", ["?after=x", "?before=-1", "?after=" + "9" * 30, "?before=%00"])
def test_numbers_that_are_none_are_the_first_page(client, query):
    ripe_run()
    assert len(client.get(f"/clean-up/{query}").context["candidates"]) == 2


def test_hostile_names_are_inert(client, cleaner):
    delivery = ripe_run(name=HOSTILE, path=f"/incoming/{HOSTILE}")
    Hold.objects.create(delivery=delivery, user_name=HOSTILE, reason=HOSTILE)
    removal = add_removal(
        delivery,
        RemovalState.STOPPED,
        target=Target.BACKUP,
        error=HOSTILE,
        remedy=HOSTILE,
        proposed_by=HOSTILE,
        evidence=[{"sentence": HOSTILE, "passed": False, "evidence": HOSTILE}],
        rule={"version": HOSTILE},
    )
    for address in ("/clean-up/", f"/clean-up/{removal.pk}/"):
        body = client.get(address).content.decode()
        assert "<script>alert(1)" not in body
        assert INERT in body
        assert "\x1b" not in body.replace('value="/incoming/&lt;script&gt;alert(1)&lt;/script&gt;\x1b', "")
