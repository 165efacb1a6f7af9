"""Clean-up for tests: delivered runs that are old enough, and short ways to say what became of them."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from delivering import deliver, delivery_of, land_run
from delivering_faults import environment_of
from django.db.models import F
from django.utils import timezone

from seqauto import clean_up, proving
from seqauto.clean_up_rules import CleanUpRules, rules_from
from seqauto.delivery_rules import DeliveryRules, ProvingRules
from seqauto.models import Delivery, DiskReading, Proof, Removal
from sequencing.removing import QUARANTINE

BY = "a test"


def clean_up_rules(
    delivery: DeliveryRules, overrides: dict[str, Any] | None = None, **fields: Any
) -> CleanUpRules:
    """Rules without a grace period; `fields` replace others."""
    return CleanUpRules(
        **({"delivery": delivery, "rules": rules_from(overrides or {}), "grace_hours": 0} | fields)
    )


ONLY_SOURCES = {"fastqs": {"enabled": False}}


ONLY_BACKUPS = {"backup": {"enabled": True}, "fastqs": {"enabled": False}, "source": {"enabled": False}}


def delivered_run(rules: DeliveryRules, days: float = 25, **fields: Any) -> Path:
    """A run that was delivered so many days ago, and whose backup was proven again just now."""
    run = land_run(rules, **fields)
    write_long_ago(run)
    deliver(rules)
    ripen(run, rules, days)
    return run


def write_long_ago(run: Path) -> None:
    """Let the instrument have written all files of a run a year ago."""
    long_ago = (timezone.now() - timedelta(days=365)).timestamp()
    for path in run.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (long_ago, long_ago))


def ripen(run: Path, rules: DeliveryRules, days: float = 25) -> None:
    """Let so many days have passed since a delivery: SeqAuto worked on each, and proved the backup now."""
    grow_old(run, days)
    prove_backup(run, rules)
    work_each_day()


def prove_backup(run: Path, rules: DeliveryRules) -> None:
    (backup,) = [copy for copy in proving.copies([run.name]) if copy.what == Proof.What.BACKUP]
    assert proving.prove(backup, rules, ProvingRules())


def work_each_day(days: int = 60) -> None:
    """What the watcher writes down of free space, once for each of the last days."""
    now = timezone.now()
    DiskReading.objects.bulk_create(
        DiskReading(path="/disk", at=now - timedelta(days=day), total=10, free=5) for day in range(days)
    )


def grow_old(run: Path, days: float) -> None:
    """Let everything that is recorded of a delivery have happened so many days earlier."""
    delivery, ago = delivery_of(run), timedelta(days=days)
    Delivery.objects.filter(pk=delivery.pk).update(
        **{name: F(name) - ago for name in ("found_at", "delivered_at", "listing_at", "complete_at")}
    )
    Proof.objects.filter(delivery=delivery).update(at=F("at") - ago)
    for step in delivery.steps.all():
        step.started_at, step.ended_at = step.started_at - ago, step.ended_at - ago
        if "verified_at" in step.figures:
            step.figures["verified_at"] = (timezone.now() - ago).isoformat()
        for project in step.figures.get("projects", ()):
            project["uploaded_at"] = (timezone.now() - ago).isoformat()
        step.save()
    Delivery.objects.filter(pk=delivery.pk).update(found_at=F("found_at") - timedelta(days=1))


def closed_gates(run: Path, target: str, rules: CleanUpRules) -> list[str]:
    one = clean_up.candidate(delivery_of(run), target, rules)
    return [gate.name for gate in one.gates if not gate.passed]


def execute(rules: CleanUpRules, *names: str) -> list[Removal]:
    return clean_up.clean_up(rules, BY, names)


def removal_of(run: Path, target: str = "source") -> Removal:
    return Removal.objects.filter(delivery=delivery_of(run), target=target).latest("pk")


def quarantined(root: Path) -> list[Path]:
    """The folders that stand in a disk's quarantine."""
    yard = root / QUARANTINE
    return [path for path in yard.iterdir() if path.is_dir()] if yard.exists() else []


def in_the_shell(children: Any, rules: CleanUpRules, *arguments: str, **environment: str) -> Any:
    """The command in a process of its own, in this lab."""
    more = {
        "SEQAUTO_CLEAN_UP_GRACE_HOURS": str(int(rules.grace_hours)),
        "SEQAUTO_CLEAN_UP_RULES": '{"fastqs": {"enabled": false}}',
    }
    return children.manage(
        "clean_up_runs", *arguments, **environment_of(rules.delivery, **more, **environment)
    )
