"""Pages ask the database as often for thousands of rows as for a few, and never very often."""

from datetime import timedelta
from itertools import count

import pytest
from delivery_rows import add_delivery, fail
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from page_rows import add_file, add_message, add_run, add_scan, add_sheet
from test_access import NAMES, address_of, rows, rule_of  # noqa: F401  rows is a fixture

from bench.pages_visits import forgotten, subjects, visits
from seqauto.models import (
    AuditEntry,
    DiskReading,
    Experiment,
    Hold,
    Proof,
    Removal,
    Sequencer,
    SequencingFile,
    SequencingRun,
    SequencingSample,
    Submission,
)
from seqauto.models.clean_up import RemovalState
from seqauto.models.deliveries import DeliveryState

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
A_FEW, MANY = 12, 110  # of each state there is one; three pages of any list
#: These count their rows, which is one query more, only where not all of them stand on the page.
COUNT_BEYOND_A_PAGE = {"files", "messages", "samples"}
RUN_STATES = ("complete", "incomplete", "error", "deleted", "running", "skipped")

_numbers = count(1)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("superuser"))
    return client


def test_no_page_asks_more_often_where_there_is_more_to_show(client, rows):  # noqa: F811
    addresses = {name: address_of(name, rows) for name in NAMES if "superuser" in may_read(name)}
    add_lab(A_FEW, rows["run"])
    few = {name: queries_of(client, address, again=True) for name, address in addresses.items()}
    add_lab(MANY, rows["run"])
    grown = {}
    for name, address in addresses.items():
        usual = {few[name], few[name] + (name in COUNT_BEYOND_A_PAGE)}
        if queries_of(client, address) not in usual and (now := queries_of(client, address)) not in usual:
            grown[name] = (few[name], now)
    assert grown == {}


def test_no_page_asks_more_than_fifteen_times_however_it_is_narrowed_and_sorted(client, rows):  # noqa: F811
    add_lab(MANY, rows["run"])
    about = subjects() | {"scan": rows["scan"], "waiting": rows["delivery"], "delivery": rows["delivery"]}
    addresses = [address for name, address in visits(about) if not name.startswith("admin:")]
    often = [address for address in addresses if queries_of(client, address) > MOST_QUERIES]
    asked = {address: queries_of(client, address) for address in often}
    assert {address: queries for address, queries in asked.items() if queries > MOST_QUERIES} == {}


def test_the_bench_knows_how_people_ask_for_each_page(client):
    assert forgotten(client) == [], "Say in VISITS of bench/pages_visits.py how people ask for these."


def may_read(name: str) -> set[str]:
    rule = rule_of(name)
    return rule.read if rule else set()


def queries_of(client: Client, address: str, *, again: bool = False) -> int:
    """How often a page asks: the first time, or `again`, for some keep what need not be asked each time."""
    if again:
        client.get(address)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
        if response.streaming:
            list(response.streaming_content)
    assert response.status_code < 500, address
    return len(queries)


def add_lab(size: int, run: SequencingRun) -> None:
    """So many rows of everything that lists show, in every state; `run` itself grows too."""
    for number in range(size):
        add_scan(files_appeared=1)
        add_run_with_all(RUN_STATES[number % len(RUN_STATES)])
        add_delivery_with_all(list(DeliveryState)[number % len(DeliveryState)])
        add_sheet(run)
        add_message(run)
        AuditEntry.objects.create(
            who="anna",
            is_person=True,
            action="run.flags_set",
            kind="sequencingrun",
            key=run.pk,
            name=run.name,
        )
    grow(run, size)


def add_run_with_all(state: str) -> None:
    number = next(_numbers)
    run = add_run(
        samples=2,
        missing=state == "incomplete",
        experiment=Experiment.objects.create(name=f"Haem_26_{number:04d}"),
        group=f"group{number}",
        state=state,
    )
    run.sequencer = Sequencer.objects.create(serial=f"M{number:05d}", model="MiSeq")
    run.save()
    add_sheet(run)
    add_message(run, severity=("error", "warning")[number % 2], code=f"code_{number}")
    DiskReading.objects.create(path=f"/disk{number % 5}", total=10**13, free=number * 10**9)


def add_delivery_with_all(state: DeliveryState) -> None:
    delivery = add_delivery(state, ago=timedelta(days=50))
    if state == DeliveryState.WAITING:
        fail(delivery)
    if not delivery.steps.exists():
        return
    Submission.objects.create(delivery=delivery, conversion=1, project="HAEM", kind="batch")
    Hold.objects.create(delivery=delivery, user_name="anna", reason="A trial")
    Proof.objects.create(delivery=delivery, what=Proof.What.BACKUP, is_good=True)
    for target, removal_state in (("source", RemovalState.PROPOSED), ("fastqs", RemovalState.REMOVED)):
        Removal.objects.create(
            delivery=delivery, target=target, path=delivery.path, state=removal_state,
            quarantined_at=timezone.now(), ended_at=timezone.now(), proposed_by="anna",
        )  # fmt: skip


def grow(run: SequencingRun, size: int) -> None:
    """Add so many samples to a run, each with two files of which one is missing."""
    first = run.samples.count() + 1
    samples = SequencingSample.objects.bulk_create(
        SequencingSample(run=run, sample_id=f"G-{number:05d}", project="HAEM", number=number)
        for number in range(first, first + size)
    )
    SequencingFile.objects.bulk_create(
        add_file(run, sample, 1, read, is_there=read == "R1") for sample in samples for read in ("R1", "R2")
    )
