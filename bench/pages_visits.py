"""Which addresses `bench.pages` asks for: each page as people use it, by the name of its address.

A page without an entry stops the measurement, so that nobody forgets a new one. Addresses that refuse GET
need none, nor do those of the admin, which are all alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from bench.pages_rows import RARE_PROJECT
from seqauto.models import Delivery, Removal, Scan, SequencingRun
from seqauto.models.deliveries import DeliveryState
from seqauto.models.runs import RunState


@dataclass(frozen=True)
class Visit:
    """A query string and the arguments of an address; `{run.name}` in them is filled from the subjects."""

    query: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)

    def address(self, name: str, subjects: Mapping[str, Any]) -> str:
        filled = {key: value.format_map(subjects) for key, value in self.arguments.items()}
        query = urlencode(
            [
                (key, value.format_map(subjects))
                for key, value in parse_qsl(self.query, keep_blank_values=True)
            ]
        )
        return reverse(name, kwargs=filled) + (f"?{query}" if query else "")


def lists(*queries: str) -> list[Visit]:
    """A page without arguments, asked with each of these query strings."""
    return [Visit(query) for query in queries]


def of(subject: str, *queries: str, **more: str) -> list[Visit]:
    """The page of one thing, asked with each of these query strings."""
    return [Visit(query, {"pk": f"{{{subject}.pk}}", **more}) for query in queries or ("",)]


TEXTS = (
    "q={run.name}", "q={run.flowcell}", "q={sample.sample_id}", "q={run.experiment.name}", "q={run.path}",
    "q=nothing+has+this",
)  # fmt: skip
#: What people type into the search of the menu: whole names, parts, pasted paths, and what is nowhere.
SEARCHES = (
    "", *TEXTS, "q=A0", "q={run.sequencer.serial}", "q={sample.project}", "q={run.path}/{file.path}",
    "q={file.path}", "q={run.path}/nothing", "q=/archive/haem/2", "q=2", "q={delivery.name}", "q=HAEM",
    "q=MiSeq", "q=exome_v8",
)  # fmt: skip

#: How lists of what lies in runs are narrowed by these.
OF_RUNS = (
    "instrument=model:MiSeq", "instrument=3", "group=haem", "group=haem&sort=run", "flag=all", "flag=hidden",
    "flag=gold", "instrument=3&group=haem&after=2025-01-01", "after=2026-11-01", "before=2023-12-31",
)  # fmt: skip

VISITS: dict[str, list[Visit]] = {
    "login": lists(""),
    "password": lists(""),
    "home": lists(""),
    "home_live": lists(""),
    "scans": lists("", "before={old_scan.pk}"),
    "scans_live": lists(""),
    "scan": [*of("scan"), *of("old_scan")],
    "scan_live": of("scan"),
    "scan_changes": [*of("scan", "", "from=200", kind="appeared"), *of("scan", kind="vanished")],
    "scan_list": of("scan", name="fastq.tsv"),
    "runs": lists(
        "", "page=2", "page=390", "sort=name", "sort=-found", "sort=state&page=100", "sort=-open_messages",
        "sort=instrument&page=300", "state=incomplete", "instrument=model:MiSeq", "instrument=3",
        "group=exome_v8", "after=2025-01-01&before=2025-12-31", "flag=gold", "flag=all",
        "state=complete&group=haem&sort=-date", "q=A01", "project=haem01", "page=999999", *TEXTS,
    ),
    "runs_export": lists("", "state=incomplete", "sort=name", "q=nothing+has+this"),
    "run": [*of("run"), *of("large_run", "", "page=3"), *of("incomplete_run"), *of("deleted_run")],
    "run_missing": [*of("incomplete_run"), *of("run")],
    "run_sheet": [*of("run"), *of("large_run"), *of("edited_run", "", "version=1")],
    "run_timeline": [*of("run"), *of("large_run")],
    "run_live": of("run"),
    "run_files": [*of("run"), *of("large_run")],
    "run_messages": of("run"),
    "run_history": of("run"),
    "run_flags": of("run"),
    "run_delete": of("run"),
    "samples": lists(
        "", "sort=run", "sort=sample_id", "sort=-sample_id", "q={sample.sample_id}", "q=2", "q=26h0",
        "q=nothing+has+this", "project={sample.project}", f"project={RARE_PROJECT}", "project=nothing",
        "project={sample.project}&sort=-sample_id", "about={run.name}", "about=A01", "about=nothing+has+this",
        "files=missing", "files=missing&sort=sample_id", "kind=control", "kind=failed", "run={large_run.pk}",
        "kind=failed&sort=sample_id", "after=2025-01-01&before=2025-12-31", "q=26&files=missing",
        *OF_RUNS, "sort=sample_id&flag=all", "flag=hidden&kind=failed", "q=2&group=haem", "q=26&flag=bad",
        "group=haem&files=missing", "run={hidden_run.pk}", "project=pharma", "project=haem01",
    ),
    "samples_export": lists("", "q={sample.sample_id}", "project={sample.project}"),
    "files": lists(
        "", "sort=run", "q={sample.sample_id}", "q=2", "q={file.path}", "q={run.path}/{file.path}",
        "q={run.path}", "q=/archive/haem/2", "q=/archive/nothing", "q=nothing+has+this", "state=missing",
        "state=deleted", "state=complete", "state=error", "type=fastq", "expected=yes", "expected=no",
        "project={sample.project}", f"project={RARE_PROJECT}", "project=nothing", "about={run.name}",
        "about=A01", "about=nothing+has+this", "run={large_run.pk}", "sample={sample.pk}",
        "state=missing&about=haem", "state=missing&sort=run", "q=2&sort=-sample", "q=26h0&state=missing",
        *OF_RUNS, "after=2025-01-01&before=2025-12-31", "state=missing&group=haem", "expected=no&flag=gold",
        "type=fastq&flag=all", "q=2&instrument=model:MiSeq",
        "q=26H09999-001&instrument=model:MiSeq", "project=haem01", "project=haem01&group=haem",
        "run={hidden_run.pk}", "project={sample.project}&after=2026-01-01",
    ),
    "files_export": lists("", "state=missing", "project={sample.project}"),
    "files_paths": lists("", "q={sample.sample_id}", "state=missing"),
    "experiments": lists(
        "", "page=2", "page=300", "page=999999", "q=haem", "q=nothing+has+this", "sort=name", "sort=-runs",
        "columns=name.runs",
    ),
    "experiments_export": lists("", "columns=name.runs"),
    "sequencers": lists("", "q=M0", "model=MiSeq", "silent=7", "sort=-runs", "columns=serial.silent"),
    "sequencers_export": lists("", "columns=serial.silent"),
    "check_sheet": lists(""),
    "server_status": lists(""),
    "server_status_live": lists(""),
    "server_status_query": [],  # of SQL that runs at the moment
    "deliveries": lists(
        "", "page=2", "page=110", "sort=name", "sort=instrument&page=50", "state=person", "state=delivered",
        "folder=/incoming", "q=A01", "q={delivery.name}", "q=nothing+has+this",
    ),
    "deliveries_live": lists("", "of={waiting.pk},{delivery.pk}"),
    "delivery": [*of("delivery"), *of("large_delivery"), *of("waiting")],
    "delivery_live": of("waiting"),
    "delivery_log": of("waiting", kind="convert"),
    "delivery_manifest": of("delivery"),
    "clean_up": lists("", "after={old_delivery.pk}", "before={removal.pk}"),
    "clean_up_removal": of("removal"),
    "clean_up_manifest": of("removal"),
    "trends": lists("", "by=model"),
    "help": lists(""),
    "help_codes": lists(""),
    "storage": lists("", "older={old_delivery.pk}"),
    "messages": lists(
        "", "page=2", "page=30", "severity=error", "code=amiss_3", "closed=too", "closed=too&page=400",
        "closed=too&code=odd_name", "sort=opened_at", "closed=too&sort=-closed_at",
    ),
    "audit": lists(
        "", "older=20000", "who=anna", "who=nobody", "action=run.flags_set", "kind=removal",
        "name={run.name}", "name=nothing+has+this", "after=2025-01-01&before=2025-02-01",
    ),
    "audit_export": lists("", "name=nothing+has+this"),
    "search": lists(*SEARCHES),
}  # fmt: skip


def subjects() -> dict[str, Any]:
    """The rows that visits are about: usual ones, the largest, and those in need."""
    runs = SequencingRun.objects.select_related("sequencer", "experiment").order_by("-pk")
    run = runs.filter(state=RunState.COMPLETE, experiment__isnull=False).exclude(samples=None)[0]
    deliveries = Delivery.objects.filter(state=DeliveryState.DELIVERED).order_by("-pk")
    delivery = deliveries[0]
    large_run = runs.order_by("-sample_count", "-pk")[0]
    return {
        "run": run,
        "large_run": large_run,
        "hidden_run": runs.filter(is_hidden=True).first() or run,
        "incomplete_run": runs.filter(state=RunState.INCOMPLETE)[0],
        "deleted_run": runs.filter(files__data_state="deleted").first() or run,
        "edited_run": runs.filter(sample_sheets__version=2).first() or run,
        "sample": run.samples.order_by("number")[0],
        "file": run.files.exclude(sample=None).order_by("path")[0],
        "scan": Scan.objects.order_by("-pk")[0],
        "old_scan": _middle(Scan.objects.order_by("pk")),
        "delivery": delivery,
        "large_delivery": deliveries.filter(identity=large_run.identity).first() or delivery,
        "old_delivery": _middle(deliveries.order_by("pk")),
        "waiting": Delivery.objects.filter(state=DeliveryState.WAITING).order_by("-pk")[0],
        "removal": _middle(Removal.objects.order_by("pk")),
    }


def _middle(rows: QuerySet[Any]) -> Any:
    return rows[rows.count() // 2]


def visits(subjects: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, address) of every page to ask for."""
    for name, _pattern in _addresses():
        asked = _admin_visits(name) if name.startswith("admin:") else VISITS.get(name, [])
        yield from ((name, visit.address(name, subjects)) for visit in asked)


def forgotten(client: Client) -> list[str]:
    """Pages without an entry, as somebody who may read them all finds them."""
    return [
        name
        for name, pattern in _addresses()
        if not (name in VISITS or name.startswith("admin:") or _refuses_get(client, name, pattern))
    ]


def _addresses() -> Iterator[tuple[str, URLPattern]]:
    """(name, pattern) of every address of the site, however deep."""

    def walk(patterns: Any, prefix: str) -> Iterator[tuple[str, URLPattern]]:
        for entry in patterns:
            if isinstance(entry, URLPattern):
                yield f"{prefix}{entry.name}", entry
            else:
                yield from walk(entry.url_patterns, f"{entry.namespace}:" if entry.namespace else prefix)

    return walk(get_resolver().url_patterns, "")


def _refuses_get(client: Client, name: str, pattern: URLPattern) -> bool:
    """Whether it is for POST alone; asked with made-up arguments, for the method is looked at first."""
    converters = pattern.pattern.converters
    made_up = {key: 1 if "Int" in type(one).__name__ else "x" for key, one in converters.items()}
    return client.get(reverse(name, kwargs=made_up)).status_code == 405


def _admin_visits(name: str) -> list[Visit]:
    """Each page of the admin: lists with a search, pages of one thing with the newest."""
    for model, model_admin in admin.site._registry.items():
        page = name.removeprefix(f"admin:{model._meta.app_label}_{model._meta.model_name}_")
        if page == "changelist":
            return lists("", *(["q={run.name}"] if model_admin.search_fields else []))
        if page in ("change", "history", "delete"):
            newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
            return [] if newest is None else [Visit("", {"object_id": str(newest)})]
        if page == "add":
            return lists("")
    if name == "admin:app_list":
        return [Visit("", {"app_label": "seqauto"})]
    return lists("") if name == "admin:index" else []
