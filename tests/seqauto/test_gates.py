"""The gates before a removal: over all that may be known, only what is known and true lets anything go."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqauto.gates import NEEDS, Facts, Rule, Seen, all_open, gates

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FOUND = NOW - timedelta(days=60)
WRITTEN = FOUND - timedelta(hours=1)  # the newest file, by the instrument's clock
PROVEN = NOW - timedelta(days=25)
FACTS = [one.name for one in fields(Facts) if one.type == "Seen"]
DATES = [one.name for one in fields(Facts) if one.type == "datetime | None"]
FIRST_PROOFS = ["settled_at", "backed_up_at", "uploaded_at", "delivered_at"]
#: What a target does not ask for: the backup that goes need not stand beside itself, say.
NOT_ASKED = {
    "source": {"another_copy"},
    "fastqs": {"another_copy"},
    "backup": {"backup_stands", "backup_verified"},
}

targets = st.sampled_from(sorted(NEEDS))
absurd = st.one_of(
    st.none(),
    st.datetimes(max_value=datetime(1999, 12, 31), timezones=st.just(UTC)),
    st.datetimes(min_value=datetime(2026, 3, 2), timezones=st.just(UTC)),
)


def facts_of(**other) -> Facts:
    """All true, and proven long enough ago."""
    values = {name: Seen(True, "so") for name in FACTS} | dict.fromkeys(DATES, PROVEN)
    clocks = {"this machine": NOW, "S3": NOW + timedelta(minutes=1)}
    others = {"found_at": FOUND, "clocks": clocks, "newest_file_at": WRITTEN, "days_seen": 25}
    return Facts(**(values | others | other))


def may_go(facts: Facts, target: str = "source", now: datetime = NOW, **rule) -> bool:
    return all_open(gates(facts, Rule(target, **rule), now))


@pytest.mark.parametrize("target", NEEDS)
def test_what_is_proven_for_long_enough_may_go(target):
    assert may_go(facts_of(), target)


@given(
    target=targets,
    words=st.fixed_dictionaries({name: st.sampled_from([True, False, None]) for name in FACTS}),
)
def test_promise_29_only_what_is_true_in_every_fact_may_go(target, words):
    """Over all combinations of true, false and unknown."""
    facts = facts_of(**{name: Seen(word, "") for name, word in words.items()})
    asked = {word for name, word in words.items() if name not in NOT_ASKED[target]}
    assert may_go(facts, target) == (asked == {True})


@pytest.mark.parametrize("word", [False, None])
@pytest.mark.parametrize("target", NEEDS)
@pytest.mark.parametrize("name", FACTS)
def test_promise_29_and_30_one_fact_that_is_false_or_unknown_keeps_it(target, name, word):
    facts = facts_of(**{name: Seen(word, "")})
    assert may_go(facts, target) == (name in NOT_ASKED[target])


def test_promise_29_nothing_known_opens_nothing():
    for target in NEEDS:
        assert not any(gate.passed for gate in gates(Facts(), Rule(target), NOW) if gate.name != "rule")
    assert not all_open([])


def test_promise_29_a_rule_that_is_off_lets_nothing_go():
    assert not may_go(facts_of(), is_on=False)


@given(target=targets, name=st.sampled_from([*FIRST_PROOFS, "found_at"]), date=absurd)
def test_promise_35_a_null_future_or_absurd_date_keeps_it(target, name, date):
    assert not may_go(facts_of(**{name: date}), target)
    assert not may_go(facts_of(**{name: date}), target, days=0)


@given(target=targets, date=absurd)
def test_promise_35_a_proof_of_no_day_or_of_an_absurd_one_is_none(target, date):
    assert not may_go(facts_of(in_s3_at=date), target)
    if target != "backup":
        assert not may_go(facts_of(backup_verified_at=date), target)


@given(target=targets, name=st.sampled_from(FIRST_PROOFS), back=st.integers(1, 10**7))
def test_promise_35_nothing_is_proven_before_its_run_was_found(target, name, back):
    assert not may_go(facts_of(**{name: FOUND - timedelta(seconds=back)}), target)


@given(target=targets, days=st.integers(1, 3650))
def test_promise_35_a_clock_that_is_ahead_is_not_believed_alone(target, days):
    """By the database everything would be old enough; the other clocks say otherwise."""
    ahead = NOW + timedelta(days=days)
    fresh = dict.fromkeys(("backup_verified_at", "in_s3_at"), ahead)
    assert not may_go(facts_of(**fresh), target, now=ahead)


@given(target=targets, minutes=st.integers(16, 10**6), whose=st.sampled_from(["this machine", "S3"]))
def test_promise_35_every_clock_must_agree(target, minutes, whose):
    clocks = {"this machine": NOW, "S3": NOW}
    for wrong in (NOW + timedelta(minutes=minutes), NOW - timedelta(minutes=minutes), None):
        assert not may_go(facts_of(clocks=clocks | {whose: wrong}), target)
    assert not may_go(facts_of(clocks={}), target)


@given(target=targets, hours=st.integers(-24 * 400, 24 * 400))
def test_promise_35_a_run_is_not_delivered_before_its_files_were_written(target, hours):
    """A clock that was behind at the delivery, and was set right since, would make it old at once."""
    facts = facts_of(newest_file_at=PROVEN + timedelta(hours=hours))
    assert may_go(facts, target) == (hours <= 24)
    assert may_go(facts, target, days=0) == (hours <= 24)


@given(target=targets, date=absurd)
def test_promise_35_files_of_no_date_or_an_absurd_one_prove_no_age(target, date):
    assert not may_go(facts_of(newest_file_at=date), target)


@given(target=targets, seen=st.one_of(st.none(), st.integers(0, 60)), days=st.integers(0, 25))
def test_promise_35_days_count_only_where_half_of_them_were_really_seen(target, seen, days):
    """All clocks of a single machine jump ahead together: the days between have left no trace."""
    assert may_go(facts_of(days_seen=seen), target, days=days) == (seen is not None and 2 * seen >= days)


@given(target=targets, name=st.sampled_from(FIRST_PROOFS), hours=st.integers(0, 24 * 60))
def test_promise_35_age_counts_from_the_last_of_the_first_proofs(target, name, hours):
    facts = facts_of(**{name: NOW - timedelta(hours=hours)})
    assert may_go(facts, target) == (hours >= 21 * 24)


def test_a_proof_must_be_fresh_too():
    facts = facts_of(backup_verified_at=NOW - timedelta(days=31))
    assert not may_go(facts)
    assert may_go(facts, proof_days=31)
    assert not may_go(replace(facts, backup_verified_at=PROVEN, in_s3_at=NOW - timedelta(days=31)))


def test_each_gate_says_what_was_seen_and_the_first_ones_need_no_disk():
    judged = gates(facts_of(in_s3=Seen(None, "S3 did not answer: refused")), Rule("source"), NOW)
    (closed,) = [gate for gate in judged if not gate.passed]
    assert (closed.name, closed.is_known) == ("in_s3", False)
    assert closed.evidence == "S3 did not answer: refused"
    assert all(gate.sentence and gate.evidence for gate in judged)


@pytest.mark.parametrize("target", NEEDS)
def test_a_closed_gate_says_what_is_so_and_not_what_it_asks(target):
    for gate in gates(Facts(), Rule(target, is_on=False), NOW):
        closed = replace(gate, passed=False, is_known=True)
        assert closed.heading != gate.sentence
        assert replace(gate, passed=True).heading == gate.sentence
        assert replace(gate, passed=False, is_known=False).heading == gate.sentence


def test_dates_read_alike_in_every_sentence_in_the_labs_own_time(settings):
    settings.TIME_ZONE = "America/New_York"
    said = {gate.name: gate.evidence for gate in gates(facts_of(), Rule("source", days=40), NOW)}
    assert said["age"] == (
        "The last of the proofs is of 4 Feb 2026 07:00; 40 days must have passed, so from 16 Mar 2026 08:00."
    )
    assert said["clock"] == "The database says 1 Mar 2026 07:00, as all others do."
