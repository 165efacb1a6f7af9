"""What disks hold: read, foretold, warned of; and deliveries that wait for room."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from delivering import deliver, delivery_of, events_of, land_run, look, rules_for, state_of, step_of, work
from delivering_faults import bcl_manager
from delivery_rows import GIGABYTE, add_delivery
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st
from mounting import mount_small

from seqauto import deliveries, storage
from seqauto.holdings import holding, releases
from seqauto.models import DiskReading
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState, StepState
from seqauto.storage import Disk, Reading, forecast, outlook

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TB = 10**12
DAY = timedelta(days=1)


@pytest.fixture
def rules(tmp_path):
    return rules_for(tmp_path)


# ---- free space ----


def test_each_disk_is_counted_once(tmp_path, rules, mount):
    mount_small(rules.backup_dir, "3m")
    archive = tmp_path / "archive"
    archive.mkdir()
    disks = storage.disks_now(replace(rules, archive=[archive, tmp_path / "not mounted"]))
    assert [(disk.path, disk.uses) for disk in disks] == [
        (rules.roots[0], ("incoming", "FASTQs", "archive")),
        (str(rules.backup_dir), ("backup",)),
    ]
    assert (disks[1].total, disks[1].free) == (3 << 20, 3 << 20)


@pytest.mark.django_db
def test_free_space_is_written_down_four_times_an_hour_and_after_each_delivery(tmp_path, s3_server, caplog):
    rules = rules_for(tmp_path, s3_server)
    look(rules)
    look(rules)
    assert DiskReading.objects.count() == 1
    DiskReading.objects.update(at=timezone.now() - timedelta(minutes=16))
    look(rules)
    assert DiskReading.objects.count() == 2
    run = land_run(rules)
    with caplog.at_level(logging.INFO, "seqauto.deliveries"):
        deliver(rules)
    assert (state_of(run), DiskReading.objects.count()) == (DeliveryState.DELIVERED, 3)
    (line,) = [text for text in caplog.messages if "Free:" in text]
    assert line.startswith(f"{run.name}: delivered. Free: {rules.roots[0]} ")


@pytest.mark.django_db
def test_the_newest_reading_of_each_disk_is_shown_and_none_that_is_dated_ahead():
    now = timezone.now()
    for path, ago, free in (("/a", 1, 5), ("/a", 2, 6), ("/b", 3, 7), ("/a", -400, 8), ("/old", 30, 9)):
        DiskReading.objects.create(path=path, at=now - ago * DAY, total=10, free=free)
    assert [(one.path, one.free) for one in storage.latest_readings()] == [("/a", 5), ("/b", 7)]
    assert [one.free for one in storage.history("/a", now)] == [6, 5]


@pytest.mark.parametrize(
    ("free", "percent", "gigabytes", "is_low"),
    [
        (99, 10, 0, True),
        (100, 10, 0, False),
        (99, 0, 0, False),
        (99, 0, 100, True),
        (100, 0, 100, False),
        (500, 10, 501, True),
        (0, 0, 0, False),
    ],
)
def test_a_disk_is_low_below_either_level(free, percent, gigabytes, is_low):
    disk = Disk("/data", ("backup",), ("/data",), 1, 1000 * 10**9, free * 10**9)
    assert bool(storage.low_space(disk, percent, gigabytes)) == is_low


def test_a_warning_says_which_disk_and_how_much():
    disk = Disk("/data", ("backup",), ("/data",), 1, 10 * TB, 8 * TB // 10)
    assert storage.low_space(disk, 10, 0) == "/data is low: 800 GB of 10 TB free (8 %)."


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_600, "1.0 MB"),
        (1.2 * TB, "1.2 TB"),
        (14e9, "14 GB"),
    ],
)
def test_sizes_read_as_disks_are_sold(size, text):
    assert storage.size_text(size) == text


# ---- when a disk is full ----


def filling(days: int, a_day: int, free: int = 4 * TB) -> list[Reading]:
    return [Reading(NOW - day * DAY, 10 * TB, free + day * a_day) for day in range(days)]


def test_a_disk_that_fills_evenly_is_full_when_its_pace_says_so():
    when = forecast(filling(14, TB // 10), NOW)
    assert abs(when - (NOW + 40 * DAY)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "readings",
    [
        [],
        filling(1, TB),
        filling(14, 0),
        filling(14, -TB // 100),
        filling(14, 10**6),  # in a hundred centuries
        [Reading(NOW + day * DAY, 10 * TB, 4 * TB - day * TB // 10) for day in range(1, 5)],
        [Reading(NOW - 400 * DAY, 10 * TB, 4 * TB), Reading(NOW - 401 * DAY, 10 * TB, 5 * TB)],
        [*filling(1, 0), *(Reading(NOW - day * DAY, 5 * TB, TB * day // 10) for day in range(1, 9))],
    ],
    ids=["none", "one", "even", "growing", "slow", "ahead", "old", "exchanged"],
)
def test_nobody_is_told_a_date_that_nobody_knows(readings):
    assert forecast(readings, NOW) is None


def test_a_full_disk_is_full_now():
    assert forecast(filling(5, TB, free=0), NOW) == NOW


odd_times = st.one_of(
    st.datetimes(datetime(1970, 1, 1), datetime(9990, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(-30 * DAY, 30 * DAY).map(lambda ago: NOW - ago),
)
odd_readings = st.builds(Reading, odd_times, st.sampled_from([0, TB, 10 * TB]), st.integers(0, 10 * TB))


@given(st.lists(odd_readings, max_size=30))
@example([Reading(NOW, 0, 0), Reading(NOW - 2 * DAY, 0, 0)])
def test_promise_35_a_forecast_is_never_in_the_past_whatever_clocks_say(readings):
    when = forecast(readings, NOW)
    assert when is None or NOW <= when <= NOW + storage.FARTHEST
    sane = [one for one in readings if NOW - storage.WINDOW <= one.at <= NOW]
    assert forecast(sane, NOW) == when


@given(st.integers(2, 28), st.integers(10**10, 10**11), st.integers(0, 5 * TB))
def test_a_steady_pace_is_foretold(days, a_day, free):
    when = forecast(filling(days, a_day, free), NOW)
    assert when is not None
    assert abs((when - NOW) / DAY - free / a_day) < 0.01 + free / a_day / 1000


# ---- what runs hold ----


@pytest.mark.django_db
def test_what_a_run_holds_is_known_until_it_is_removed():
    delivery = add_delivery()
    fastqs = 24 * 412_000_000
    assert (holding(delivery).source, holding(delivery).backup) == (14 * GIGABYTE, 14 * GIGABYTE)
    assert holding(delivery).fastqs == fastqs
    folder = delivery.steps.get(kind="convert").figures["folder"]
    delivery.removals.create(target=Target.FASTQS, path=folder, bytes=fastqs, state=RemovalState.QUARANTINED)
    assert holding(delivery).bytes == 28 * GIGABYTE + fastqs  # it takes its room still
    assert holding(delivery).fastqs is None
    delivery.removals.update(state=RemovalState.REMOVED)
    delivery.gone_at = timezone.now()
    assert (holding(delivery).source, holding(delivery).backup, holding(delivery).fastqs) == (
        None,
        14 * GIGABYTE,
        None,
    )
    assert holding(add_delivery(DeliveryState.SEQUENCING)).backup is None


@pytest.mark.django_db
def test_a_folder_that_could_not_be_read_is_read_as_soon_as_it_is_there(rules, mount, tmp_path):
    away = tmp_path / "away"
    lab = replace(rules, backup_dir=away)
    storage.read_disks(lab)
    storage.read_disks(lab)
    assert str(away) not in {folder for row in DiskReading.objects.all() for folder in row.folders}
    before = DiskReading.objects.count()
    mount_small(away, "1m")
    storage.read_disks(lab)
    assert str(away) in {folder for row in DiskReading.objects.all() for folder in row.folders}
    read = DiskReading.objects.count()
    assert read > before
    storage.read_disks(lab)
    assert DiskReading.objects.count() == read


@pytest.mark.django_db
def test_what_was_made_anew_after_a_removal_is_held():
    delivery = add_delivery()
    convert = delivery.steps.get(kind="convert")
    for target, folder in ((Target.SOURCE, delivery.path), (Target.FASTQS, convert.figures["folder"])):
        delivery.removals.create(
            target=target, path=folder, state=RemovalState.REMOVED, quarantined_at=delivery.found_at
        )
    assert holding(delivery).source == 14 * GIGABYTE  # it was put back
    assert holding(delivery).fastqs  # converted again


@pytest.mark.django_db
def test_what_would_be_freed_comes_soonest_first():
    first, second = add_delivery(), add_delivery(DeliveryState.DELIVERING)
    dates = {
        (first, Target.SOURCE): NOW + 9 * DAY,
        (first, Target.FASTQS): NOW,
        (second, Target.SOURCE): NOW + DAY,
    }
    found = releases([first, second], lambda delivery, target: dates.get((delivery, target)))
    assert [(one.delivery, one.target, one.at) for one in found] == [
        (first, Target.FASTQS, NOW),
        (second, Target.SOURCE, NOW + DAY),
        (first, Target.SOURCE, NOW + 9 * DAY),
    ]


@pytest.mark.django_db
def test_a_run_in_the_making_is_as_large_as_its_cycles_say_or_the_last_run_was():
    sequencing = add_delivery(DeliveryState.SEQUENCING, cycles=75, cycles_total=300, bytes=None)
    assert storage.last_finished([sequencing]) == {}
    other_model = add_delivery(
        instrument="A00001", model="NovaSeq 6000", cycles_total=100, bytes=900 * GIGABYTE
    )
    same_model = add_delivery(instrument="M09999", model="MiSeq", cycles_total=150, bytes=10 * GIGABYTE)
    found = outlook(sequencing, storage.last_finished([sequencing])[sequencing.pk])
    assert (found.expected, found.to_come, found.source) == (
        20 * GIGABYTE,
        15 * GIGABYTE,
        f"the size of {same_model.name}",
    )
    sequencing.bytes = 8 * GIGABYTE
    found = outlook(sequencing, other_model)
    assert (found.expected, found.to_come) == (32 * GIGABYTE, 24 * GIGABYTE)
    disk = DiskReading(path="/data", total=10 * TB, free=27 * GIGABYTE)
    assert (found.fits(disk), found.fits(disk, in_all=True)) == (True, False)


# ---- room ----


def settle(rules) -> list[int]:
    for _ in range(5):
        if steps := look(rules):
            return steps
    return []


@pytest.mark.django_db
def test_promise_10_a_delivery_waits_for_room_and_goes_on_by_itself(rules, small_disk):
    full = small_disk("1m")
    run = land_run(rules)
    for kind, small in (("back_up", {"backup_dir": full}), ("convert", {"fastq_dir": full})):
        tight = replace(rules, **small)
        work(settle(tight), tight)
        step = step_of(run, kind)
        assert (step.state, step.attempts) == (StepState.WAITING, 0)
        assert f"and a reserve of 1.1 GB, 1.0 MB free on {full}" in delivery_of(run).reason
        assert "Waits for room" in step.doing
    deliver(rules)
    assert step_of(run, "convert").state == StepState.DONE
    assert "room" not in delivery_of(run).reason


@pytest.mark.django_db
def test_a_small_run_passes_a_large_one_that_waits_for_room(rules):
    large, small = land_run(rules, number=1), land_run(rules, number=2)
    look(rules)
    deliveries.look_after(replace(rules, parallel=0))
    type(delivery_of(large)).objects.filter(path=str(large)).update(bytes=10**16)
    work(deliveries.next_steps(rules), rules)
    assert step_of(large, "back_up").state == StepState.WAITING
    assert step_of(small, "convert").state == StepState.DONE


@pytest.mark.django_db
def test_two_runs_that_fit_alone_are_not_begun_together_where_they_do_not_fit(rules):
    runs = [land_run(rules, number=number) for number in (1, 2)]
    look(rules)
    deliveries.look_after(replace(rules, parallel=0))
    free = storage.disks_now(rules)[0].free
    size = (free - 2 * storage.RESERVE_BYTES) * 6 // 10
    type(delivery_of(runs[0])).objects.update(bytes=size)
    (only,) = deliveries.next_steps(rules)
    assert deliveries.next_steps(rules) == []  # the first one, at work now, has its share still
    waiting = next(run for run in runs if step_of(run, "back_up").pk != only)
    assert "Waits for room" in delivery_of(waiting).reason


@pytest.mark.django_db
def test_what_a_killed_copy_left_does_not_stand_in_its_own_way(rules):
    run = land_run(rules)
    look(rules)
    deliveries.look_after(replace(rules, parallel=0))
    free = storage.disks_now(rules)[0].free
    type(delivery_of(run)).objects.update(bytes=free + TB)
    assert deliveries.next_steps(rules) == []
    (rules.backup_dir / f".{run.name}.partial").mkdir()
    delivery_of(run).steps.filter(kind="back_up").update(bytes_done=(TB + 4 * storage.RESERVE_BYTES) // 2)
    assert deliveries.next_steps(rules) == [step_of(run, "back_up").pk]


@pytest.mark.django_db
def test_a_copy_that_is_there_already_needs_no_room(rules):
    run = land_run(rules)
    look(rules)
    deliveries.look_after(replace(rules, parallel=0))
    type(delivery_of(run)).objects.update(bytes=10**16)
    (rules.backup_dir / run.name).mkdir()
    assert deliveries.next_steps(rules) == [step_of(run, "back_up").pk]


@pytest.mark.django_db
def test_promise_10_a_disk_that_filled_up_since_lets_the_step_wait(rules, small_disk):
    tight = replace(rules, backup_dir=small_disk("1m"))
    run = land_run(rules)
    (step,) = settle(rules)
    deliveries.work_on(step, tight)
    assert (step_of(run, "back_up").state, state_of(run)) == (StepState.WAITING, DeliveryState.DELIVERING)
    assert any("waits for room" in text for text in events_of(run))
    assert deliveries.next_steps(tight) == []
    assert list(tight.backup_dir.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_bcl_manager_ends_once_only_room_is_waited_for(small_disk, tmp_path, children, s3_server):
    rules = rules_for(tmp_path, s3_server)
    tight = replace(rules, backup_dir=small_disk("1m"))
    run = land_run(tight)
    command = bcl_manager(children, tight, "--once", "--json")
    assert command.returncode() == 1
    assert "steps for room" in command.err
    assert "Waits for room" in delivery_of(run).reason
