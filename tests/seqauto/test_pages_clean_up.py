"""Safe to delete: what it says first, gates from the database alone, holds, decisions, certificates."""

import re
from datetime import date, timedelta

import pytest
from delivery_rows import GIGABYTE, add_delivery
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from seqauto import clean_up as story
from seqauto import strays
from seqauto.clean_up_rules import clean_up_rules_of_settings
from seqauto.models import AuditEntry, Delivery, Hold, Proof, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState, StepKind
from seqauto.removal_rows import turn
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
    assert "9 of 16 gates passed, 7 are looked at before it goes" in said
    assert "Read again on" in said
    assert "25 objects, 9,888,000,009 bytes, in s3://lab-fastq, each with its MD5." in said
    assert "Every object is in S3 with our checksum : not looked at now Looked at before it goes." in said


def test_a_closed_gate_says_why_and_offers_nothing(client, cleaner):
    ripe_run(days=5)
    response = client.get("/clean-up/")
    assert "Must stay The last of the proofs is of" in text_of(response)
    assert "/propose/" not in response.content.decode()


def test_a_held_run_must_stay(client):
    Hold.objects.create(delivery=ripe_run(), user_name="bea", reason="A trial")
    said = page(client)
    assert "Nothing could go now" in said
    assert "Must stay Held by bea: A trial" in said


def test_a_closed_gate_says_what_is_so_and_who_holds_until_when(client, cleaner):
    delivery = ripe_run()
    last_day = date(2099, 11, 30)
    Hold.objects.create(delivery=delivery, user=cleaner, user_name="bea", reason="A trial", until=last_day)
    said = page(client)
    assert "Somebody holds it Held by bea until 30 Nov 2099: A trial" in said
    assert "Nobody holds it" not in said


def test_what_was_removed_or_is_on_its_way_is_no_candidate(client):
    delivery = ripe_run(gone_at=timezone.now())
    add_removal(delivery, RemovalState.REMOVED, ended_at=timezone.now())
    add_removal(delivery, RemovalState.QUARANTINED, target=Target.FASTQS, quarantined_at=timezone.now())
    assert list(client.get("/clean-up/").context["candidates"]) == []


def test_what_was_made_anew_since_its_removal_is_a_candidate_again(client):
    delivery = ripe_run()  # its folder was put back by hand
    folder = delivery.steps.get(kind=StepKind.CONVERT).figures["folder"]
    for target, path in ((Target.SOURCE, delivery.path), (Target.FASTQS, folder)):
        add_removal(
            delivery, RemovalState.REMOVED, target=target, path=path, quarantined_at=delivery.found_at
        )
    targets = [one.target for one in client.get("/clean-up/").context["candidates"]]
    assert targets == [Target.SOURCE, Target.FASTQS]
    Removal.objects.update(quarantined_at=timezone.now())
    assert [one.target for one in client.get("/clean-up/").context["candidates"]] == [Target.SOURCE]


def test_a_run_whose_backup_is_damaged_stays_in_the_list_and_says_so(client, cleaner):
    delivery = ripe_run()
    reason = "The backup is no longer what was proven: RunInfo.xml has another content."
    delivery.steps.filter(kind=StepKind.BACK_UP).update(state="failed", code="differs")
    Delivery.objects.update(state=DeliveryState.WAITING, reason=reason)
    response = client.get("/clean-up/")
    assert f"Must stay Waits for a person. {reason}" in text_of(response)
    assert delivery.get_absolute_url() in response.content.decode()
    assert "/propose/" not in response.content.decode()


def test_an_empty_list_says_why_it_is_empty(client):
    assert "Nothing here yet. Once a run is delivered" in page(client)
    delivery = ripe_run(gone_at=timezone.now())
    add_removal(delivery, RemovalState.QUARANTINED, quarantined_at=timezone.now())
    fastqs = add_removal(delivery, RemovalState.PROPOSED, target=Target.FASTQS)
    assert "All that delivered runs hold here is on its way out: see above." in page(client)
    Removal.objects.update(
        state=RemovalState.REMOVED,
        quarantined_at=timezone.now(),
        path=delivery.steps.get(kind=StepKind.CONVERT).figures["folder"],
    )
    assert fastqs.pk
    assert "No delivered run holds anything here that a rule is about." in page(client)


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


def let_no_page_look(monkeypatch) -> None:
    def refuse(*_args, **_kwargs):
        raise AssertionError("A page has looked.")

    looks = ("survey.list_folder", "survey.looks_of", "survey.is_gone", "s3.s3_client")
    for name in looks:
        monkeypatch.setattr(f"seqauto.clean_up_{name}", refuse)


def test_looking_at_the_page_asks_no_disk_and_no_bucket(client, monkeypatch):
    let_no_page_look(monkeypatch)
    ripe_run()
    assert client.get("/clean-up/").status_code == 200


# --- Decisions -----------------------------------------------------------------------------------------


def test_a_proposal_is_written_down_and_waits_for_another_person(client, cleaner, settings):
    settings.SEQAUTO_CLEAN_UP_APPROVAL = True
    delivery = ripe_run()
    address = reverse("clean_up_propose", args=[delivery.pk])
    response = client.post(address, {"target": "source"}, follow=True)
    about = f"Run folder on the incoming disk of {delivery.name}"
    assert messages_of(response) == f"{about}: proposed. Another person must approve it."
    removal = Removal.objects.get()
    assert (removal.state, removal.proposed_by) == (RemovalState.PROPOSED, "cleaner")
    assert page(client).count("You proposed it, so another person must approve it.") == 1
    response = client.post(reverse("clean_up_approve", args=[removal.pk]), follow=True)
    assert "You proposed it, so another person must approve it." in messages_of(response)
    log_in(client, "second", "seqauto_clean_up_approve")
    assert "cleaner proposed it. Approve it if it may go." in page(client)
    assert "Another person must approve it." not in page(client)
    assert reverse("clean_up_approve", args=[removal.pk]) in client.get("/clean-up/").content.decode()
    client.post(reverse("clean_up_approve", args=[removal.pk]))
    removal.refresh_from_db()
    assert (removal.state, removal.approved_by) == (RemovalState.APPROVED, "second")


def test_promise_29_a_proposal_asks_no_disk_and_everything_is_looked_at_before_anything_moves(
    client, cleaner, monkeypatch
):
    delivery = ripe_run()
    address = reverse("clean_up_propose", args=[delivery.pk])
    with monkeypatch.context() as patched:
        let_no_page_look(patched)
        client.post(address, {"target": "source"})
    assert Removal.objects.get().state == RemovalState.APPROVED
    rules = clean_up_rules_of_settings()
    story.carry_out(Removal.objects.get(), rules, "a turn")
    removal = Removal.objects.get()
    assert removal.state == RemovalState.STOPPED  # there is no such folder on any disk
    assert removal.quarantined_at is None


def test_promise_29_what_a_gate_is_known_to_keep_is_not_proposed(client, cleaner):
    Hold.objects.create(delivery=ripe_run(), user_name="bea", reason="A trial")
    address = reverse("clean_up_propose", args=[Delivery.objects.get().pk])
    response = client.post(address, {"target": "source"}, follow=True)
    assert "nothing was changed." in messages_of(response)
    assert "Held by bea: A trial" in messages_of(response)
    assert not Removal.objects.exists()


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
        ({"run": "twice", "until": "2001-01-01"}, "is today or later"),
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
    for query, found in (("", new), (f"?before={new.pk}", old)):
        assert [one.removal for one in client.get(f"/clean-up/{query}").context["ended"]] == [found]


def test_what_ended_last_stands_first_with_who_and_why(client, cleaner):
    long_ago, lately = timezone.now() - timedelta(hours=9), timezone.now() - timedelta(hours=1)
    add_removal(add_delivery(), RemovalState.PUT_BACK, ended_at=lately, error="Needed for a re-analysis")
    last = Removal.objects.get()
    add_removal(add_delivery(), RemovalState.REMOVED, ended_at=long_ago, quarantined_at=long_ago)
    response = client.get("/clean-up/")
    assert [one.removal.pk for one in response.context["ended"]] == [last.pk, last.pk + 1]
    assert "Withdrawn Needed for a re-analysis" in text_of(response)  # it never left its place
    Removal.objects.update(quarantined_at=long_ago)
    assert "Put back Needed for a re-analysis" in page(client)


def test_what_is_stopped_was_removed_by_nobody(client, cleaner):
    removal = add_removal(ripe_run(), RemovalState.APPROVED)
    with transaction.atomic():
        turn(removal, [RemovalState.APPROVED], RemovalState.STOPPED, "clean-up by itself", "A disk failed")
    response = client.get(f"/clean-up/{removal.pk}/")
    assert response.context["who"]["ended"] == ""
    assert "by clean-up by itself" not in text_of(response)


def test_who_withdrew_stands_in_the_list_and_on_its_page(client, cleaner, tmp_path):
    delivery = ripe_run(root=str(tmp_path), path=str(tmp_path / "run"))
    removal = add_removal(delivery)
    address = reverse("clean_up_withdraw", args=[removal.pk])
    response = client.post(address, {"reason": "Needed"}, follow=True)
    assert messages_of(response).endswith(f"{delivery.name}: withdrawn. It stays in its place.")
    assert "cleaner proposed by anna" in page(client)
    assert "Withdrawn" in text_of(client.get(f"/clean-up/{removal.pk}/"))
    assert "by cleaner" in text_of(client.get(f"/clean-up/{removal.pk}/"))


def test_the_certificate_says_where_the_other_copies_are_and_how_to_give_the_run_back(client):
    delivery = add_delivery(gone_at=timezone.now())
    removal = add_removal(
        delivery, RemovalState.REMOVED, quarantined_at=timezone.now(), ended_at=timezone.now()
    )
    said = text_of(client.get(f"/clean-up/{removal.pk}/"))
    assert f"Backup /backup/{delivery.name} FASTQs s3://lab-fastq/" in said
    assert f"manage.py restore_run {delivery.name} --to DIR" in said
    backup = add_removal(
        delivery,
        RemovalState.REMOVED,
        target=Target.BACKUP,
        path=f"/backup/{delivery.name}",
        quarantined_at=timezone.now(),
    )
    assert f"/backup/{delivery.name}" not in text_of(client.get(f"/clean-up/{removal.pk}/"))
    assert "incoming disk" in text_of(client.get(f"/clean-up/{removal.pk}/"))
    Delivery.objects.update(gone_at=None)
    assert f"Run folder {delivery.path} FASTQs" in text_of(client.get(f"/clean-up/{backup.pk}/"))


def test_a_removal_in_quarantine_says_where_it_stands(client, settings, tmp_path):
    delivery = ripe_run(root=str(tmp_path), path=str(tmp_path / "run"))
    removal = add_removal(
        delivery, RemovalState.QUARANTINED, quarantined_at=timezone.now(), tombstone="run.1"
    )
    assert str(tmp_path / ".seqauto_removed" / "run.1") in text_of(client.get(f"/clean-up/{removal.pk}/"))


def test_what_is_held_in_quarantine_is_not_said_to_be_removed(client):
    removal = add_removal(
        ripe_run(), RemovalState.QUARANTINED, quarantined_at=timezone.now(), tombstone="run.1"
    )
    Hold.objects.create(delivery=removal.delivery, user_name="bea", reason="A trial")
    for said in (page(client), text_of(client.get(f"/clean-up/{removal.pk}/"))):
        assert "Held by bea: A trial It is not removed while the hold lasts." in said
        assert "removed for ever" not in said


def test_a_hold_that_is_refused_keeps_what_was_typed(client, cleaner):
    response = client.post(
        reverse("clean_up_hold"), {"run": "no such run", "reason": "A trial", "until": "2001-01-01"}
    )
    body = response.content.decode()
    for typed in ("no such run", "A trial", "2001-01-01"):
        assert f'value="{typed}"' in body
    assert 'id="do-hold" open' in body
    assert 'id="hold-run-wrong"' in body
    assert 'id="hold-until-wrong"' in body


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Australia/Adelaide"])
def test_promise_34_a_hold_may_end_on_the_labs_own_day(client, cleaner, zone):
    delivery = ripe_run()
    with timezone.override(zone):
        today = timezone.localdate()
    for days, is_held in ((-1, False), (0, True)):
        until = (today + timedelta(days=days)).isoformat()
        with timezone.override(zone):
            form = views.HoldForm({"run": delivery.name, "reason": "A trial", "until": until})
            assert form.is_valid() is is_held


def test_what_stands_in_quarantine_without_a_removal_is_told(client):
    assert "In quarantine without a removal" not in page(client)
    told = {"root": "/incoming", "strays": ["/incoming/.seqauto_removed/x has no tombstone."]}
    values = {"who": "clean-up", "is_person": False, "kind": "incomingfolder", "name": "/incoming"}
    AuditEntry.objects.create(action=strays.TOLD, after=told, **values)
    assert "In quarantine without a removal /incoming" in page(client)
    assert "has no tombstone." in page(client)


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


# --- What the first lines count ------------------------------------------------------------------------


def test_a_run_folder_and_its_backup_are_never_both_counted(client, settings):
    settings.SEQAUTO_CLEAN_UP_RULES = {"backup": {"enabled": True}, "fastqs": {"enabled": False}}
    ripe_run()
    assert "1 folder of 1 run could go" in page(client)


def test_promise_29_a_backup_whose_run_folder_is_on_its_way_out_must_stay(client, cleaner, settings):
    settings.SEQAUTO_CLEAN_UP_RULES = {"backup": {"enabled": True}, "fastqs": {"enabled": False}}
    delivery = ripe_run()
    add_removal(delivery)
    response = client.get("/clean-up/")
    assert "Nothing could go now" in text_of(response)
    assert "Then this is the only copy." in text_of(response)
    assert "/propose/" not in response.content.decode()


def test_what_was_put_back_stays_is_said_and_not_counted(client, cleaner):
    delivery = ripe_run()
    for target in ("source", "fastqs"):
        add_removal(delivery, RemovalState.PUT_BACK, target=target, tombstone="run.1", error="Wanted again")
    response = client.get("/clean-up/")
    assert "Nothing could go now" in text_of(response)
    assert "It was put back: Wanted again. It goes only when a person" in text_of(response)
    assert "/propose/" in response.content.decode()
