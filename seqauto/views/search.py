"""The search box: what fits, by kind; where only one thing fits, that thing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from seqauto.models import Delivery, Sequencer, SequencingFile, SequencingRun
from seqauto.search import MOST, Found, find
from seqauto.tables import flag_chips
from seqauto.templatetags import looks
from seqauto.templatetags.delivery_looks import delivery_state

SHOWN = MOST - 1


@dataclass(frozen=True, slots=True)
class Hit:
    """One line: `name` leads to `address`, `facts` say what it is, `state` how it stands."""

    address: str
    name: str
    facts: Sequence[str]
    state: looks.State | str = ""
    path: str = ""
    """In full, ready to be copied."""


@dataclass(frozen=True, slots=True)
class Group:
    """What fits of one kind; `list_address` is the page with all of it."""

    title: str
    hits: list[Hit]
    list_address: str
    has_more: bool


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    found = find(request.GET.get("q", ""))
    groups = [group for group in _groups(found) if group.hits]
    # A file has no page of its own: the line that tells of it is the answer.
    leads = [hit.address for group in groups for hit in group.hits if not hit.path]
    is_answer = bool(found.files or found.is_lost_in_folder)
    if len(leads) == 1 and not is_answer:
        return redirect(leads[0])
    return render(request, "search/results.html", {"found": found, "groups": groups})


def _groups(found: Found) -> Iterable[Group]:
    """In the order of the page."""
    q = {"q": found.text}
    hidden_too = q | {"flag": "all"}
    yield _group("Runs", found.runs, _run, "runs", hidden_too)
    yield _group("Samples", found.samples, _sample, "samples", hidden_too)
    yield _group("Files", found.files, _file, "files", hidden_too)
    yield _group("Projects", found.projects, _project, "samples", {})
    yield _group("Deliveries", found.deliveries, _delivery, "deliveries", q)
    yield _group("Sequencers", found.sequencers, _sequencer, "sequencers", q)


def _group(
    title: str, rows: Sequence[Any], hit: Callable[[Any], Hit], page: str, query: dict[str, str]
) -> Group:
    address = f"{reverse(page)}?{urlencode(query)}"
    return Group(title, [hit(row) for row in rows[:SHOWN]], address, len(rows) > SHOWN)


# --- A line of each kind -------------------------------------------------------------------------------


def _run(run: SequencingRun) -> Hit:
    return Hit(
        run.get_absolute_url(),
        looks.printable(run.experiment or run.name),
        [*_run_facts(run), _told(run.sequencer), looks.day(run.date), flag_chips(run), _delivery_link(run)],
        looks.run_state(run),
    )


def _run_facts(run: SequencingRun) -> list[str]:
    """Its folder's name, where the experiment stands in its place; its group."""
    return [_mono(run.name) if run.experiment else "", looks.printable(run.group)]


def _delivery_link(run: Any) -> str:
    if run.delivery is None:
        return ""
    return format_html('<a href="{}">its delivery</a>', reverse("delivery", args=[run.delivery]))


def _sample(sample: Any) -> Hit:
    other_name = sample.sample_name if sample.sample_name != sample.sample_id else ""
    run = sample.run
    return Hit(
        f"{reverse('files')}?{urlencode({'sample': sample.pk})}",
        looks.printable(sample.sample_id),
        [
            _told(other_name),
            _told(sample.project),
            _told(run.experiment),
            _run_link(run),
            looks.day(run.date),
        ],
        looks.found_bar(sample.files_found, sample.files_expected),
    )


def _file(file: SequencingFile) -> Hit:
    run = file.run
    return Hit(
        run.get_absolute_url(),
        looks.printable(run.experiment or run.name),
        [_mono(run.name) if run.experiment else ""],
        looks.file_state(file),
        path=f"{run.path}/{file.path}",
    )


def _project(name: str) -> Hit:
    of_project = urlencode({"project": name})
    runs = format_html('<a href="{}?{}">its runs</a>', reverse("runs"), of_project)
    return Hit(f"{reverse('samples')}?{of_project}", looks.printable(name), [runs])


def _delivery(delivery: Delivery) -> Hit:
    return Hit(
        delivery.get_absolute_url(),
        looks.printable(delivery.name),
        [_told(delivery.model), _told(delivery.instrument), looks.when(delivery.found_at)],
        delivery_state(delivery),
    )


def _sequencer(sequencer: Sequencer) -> Hit:
    runs = f"{reverse('runs')}?{urlencode({'instrument': sequencer.pk})}"
    return Hit(runs, looks.printable(sequencer.serial), [_told(sequencer.model)])


def _told(value: object) -> str:
    return looks.printable(value) if value else ""


def _run_link(run: SequencingRun) -> SafeString:
    return format_html('<a class="mono" href="{}">{}</a>', run.get_absolute_url(), looks.printable(run.name))


def _mono(text: str) -> SafeString:
    return format_html('<span class="mono">{}</span>', looks.printable(text))
