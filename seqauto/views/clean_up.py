"""Safe to delete: what could go and why, what is on its way out, what people hold, and what was removed.

The page tells what the database knows and never waits for a disk or S3; those are asked when a folder is
proposed, and again before anything happens to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from seqauto import clean_up as story
from seqauto import holds
from seqauto.clean_up_facts import known, place_of
from seqauto.clean_up_rules import CleanUpRules, clean_up_rules_of_settings
from seqauto.gates import Gate, gates
from seqauto.models import Delivery, DeliveryStep, Hold, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.storage import holding
from seqauto.templatetags import looks

from . import PageRequest
from .scans import number_in

RUNS_A_PAGE = 25
RUNS_WEIGHED = 100
"""So many runs at most are weighed for the first lines of the page."""
REMOVED_SHOWN = 15
HOLDS_SHOWN = 100

ENDED = (RemovalState.REMOVED, RemovalState.PUT_BACK)


# --- The page ------------------------------------------------------------------------------------------


@require_safe
def clean_up(request: PageRequest) -> HttpResponse:
    rules, now = clean_up_rules_of_settings(), timezone.now()
    runs = _page_of(standing_somewhere(rules), number_in(request, "after"))
    shown, more = runs[:RUNS_A_PAGE], len(runs) > RUNS_A_PAGE
    ended = list(_ended(number_in(request, "before"))[: REMOVED_SHOWN + 1])
    removals = [OnItsWay.of(removal, rules, request) for removal in story.under_way()]
    context = {
        "rules": rules,
        "is_by_itself": settings.SEQAUTO_CLEAN_UP_ENABLED,
        "could_go": _could_go(rules, now),
        "candidates": list(_candidates(shown, rules, now)),
        "next_run": shown[-1].pk if more else None,
        "is_first_page": not number_in(request, "after"),
        "waiting": [one for one in removals if one.needs_a_person],
        "under_way": [one for one in removals if not one.needs_a_person],
        "holds": list(holds.holds_at(now).select_related("delivery")[:HOLDS_SHOWN]),
        "ended": ended[:REMOVED_SHOWN],
        "older": ended[REMOVED_SHOWN - 1].pk if len(ended) > REMOVED_SHOWN else None,
        "is_newest": not number_in(request, "before"),
    } | _may(request)
    return render(request, "clean_up/list.html", context)


def _may(request: PageRequest) -> dict[str, bool]:
    permissions = {"can_hold": holds.PERMISSION, "can_clean_up": story.MAY_CLEAN_UP}
    return {name: request.user.has_perm(permission) for name, permission in permissions.items()}


# --- What could go -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A folder that a rule is about, and its gates as far as the database knows them."""

    delivery: Delivery
    target: Target
    path: str
    bytes: int
    gates: tuple[Gate, ...]

    @property
    def is_closed(self) -> bool:
        return any(gate.is_known and not gate.passed for gate in self.gates)

    @property
    def state(self) -> looks.State:
        return looks.State("Must stay", "idle") if self.is_closed else looks.State("Could go", "ok")

    @property
    def why(self) -> str:
        """The first gate that is closed, in words."""
        closed = (gate for gate in self.gates if gate.is_known and not gate.passed)
        return next((f"{gate.sentence}: no. {gate.evidence}" for gate in closed), "")

    @property
    def counts(self) -> str:
        """`9 of 14 gates passed, 5 are looked at when it is proposed`."""
        passed = f"{sum(gate.passed for gate in self.gates)} of {len(self.gates)} gates passed"
        open_ones = sum(not gate.is_known for gate in self.gates)
        verb = "is" if open_ones == 1 else "are"
        return f"{passed}, {open_ones} {verb} looked at when it is proposed" if open_ones else passed


@dataclass(frozen=True, slots=True)
class CouldGo:
    """What the first line says; `is_all` is false where only the first runs were weighed."""

    folders: int
    runs: int
    bytes: int
    is_all: bool


def standing_somewhere(rules: CleanUpRules) -> QuerySet[Delivery]:
    """Delivered runs that hold something which a rule is about and nobody removes, the first found first."""
    wanted = Q(pk__in=())
    for target, rule in rules.rules.items():
        if rule.is_on:
            wanted |= _stands(target)
    found = Delivery.objects.filter(wanted, state=DeliveryState.DELIVERED).exclude(identity=None)
    steps = DeliveryStep.objects.order_by("place").defer("problems", "traceback")
    removals = Removal.objects.defer("manifest", "evidence")
    return found.order_by("pk").prefetch_related(Prefetch("steps", steps), Prefetch("removals", removals))


def _stands(target: str) -> Q:
    """Of this target something stands there, as the database knows it."""
    states = (*story.UNDER_WAY, RemovalState.REMOVED)
    going = Exists(Removal.objects.filter(delivery=OuterRef("pk"), target=target, state__in=states))
    if target == Target.SOURCE:
        return Q(gone_at=None) & ~Q(going)
    kind = StepKind.CONVERT if target == Target.FASTQS else StepKind.BACK_UP
    made = DeliveryStep.objects.filter(delivery=OuterRef("pk"), kind=kind, state=StepState.DONE)
    return Q(Exists(made)) & ~Q(going)


def _page_of(runs: QuerySet[Delivery], after: int) -> Sequence[Delivery]:
    return list(runs.filter(pk__gt=after)[: RUNS_A_PAGE + 1])


def _candidates(runs: Sequence[Delivery], rules: CleanUpRules, now: datetime) -> Iterator[Candidate]:
    facts = known(runs, now)
    for run in runs:
        held = holding(run)
        busy = {one.target for one in run.removals.all() if one.state in story.UNDER_WAY}
        for target, rule in rules.rules.items():
            size = held.of(target)
            if rule.is_on and target not in busy and size is not None:
                path, judged = place_of(run, target, rules).path, gates(facts[run.pk], rule, now)
                yield Candidate(run, Target(target), str(path or ""), size, judged)


def _could_go(rules: CleanUpRules, now: datetime) -> CouldGo:
    """What no gate that the database knows keeps here."""
    days = min((rule.days for rule in rules.rules.values() if rule.is_on), default=0)
    ripe = standing_somewhere(rules).filter(delivered_at__lte=now - timedelta(days=days), is_held=False)
    runs = list(ripe.exclude(pk__in=holds.holds_at(now).values("delivery"))[: RUNS_WEIGHED + 1])
    free = [one for one in _candidates(runs[:RUNS_WEIGHED], rules, now) if not one.is_closed]
    size = sum(one.bytes for one in free)
    return CouldGo(len(free), len({one.delivery.pk for one in free}), size, len(runs) <= RUNS_WEIGHED)


# --- What is on its way out ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A removal as the page shows it, with what the one who looks at it may do."""

    removal: Removal
    needs_a_person: bool
    what_next: str
    until: datetime | None
    may_approve: bool
    is_own: bool

    @classmethod
    def of(cls, removal: Removal, rules: CleanUpRules, request: PageRequest) -> OnItsWay:
        waits = removal.state == RemovalState.PROPOSED and rules.needs_approval
        since = removal.quarantined_at if removal.state == RemovalState.QUARANTINED else None
        return cls(
            removal=removal,
            needs_a_person=waits or removal.state == RemovalState.STOPPED,
            what_next=_what_next(removal, rules),
            until=since + timedelta(hours=rules.grace_hours) if since else None,
            may_approve=waits and request.user.has_perm(story.MAY_APPROVE),
            is_own=removal.proposed_by == request.user.get_username(),
        )


def _what_next(removal: Removal, rules: CleanUpRules) -> str:
    if removal.state in (RemovalState.APPROVED, RemovalState.PROPOSED):
        if removal.state == RemovalState.PROPOSED and rules.needs_approval:
            return "Another person must approve it."
        return "At the next turn everything is looked at again, then it goes into quarantine."
    return ""


def _ended(before: int) -> QuerySet[Removal]:
    ended = Removal.objects.filter(state__in=ENDED, **({"pk__lt": before} if before else {}))
    return ended.order_by("-pk").defer("manifest", "evidence").select_related("delivery")


# --- One removal: its certificate ----------------------------------------------------------------------


@require_safe
def clean_up_removal(request: PageRequest, pk: int) -> HttpResponse:
    rows = Removal.objects.select_related("delivery").defer("manifest")
    removal = get_object_or_404(rows.annotate(has_manifest=~Q(manifest="")), pk=pk)
    rules = clean_up_rules_of_settings()
    context = {
        "removal": removal,
        "on_its_way": OnItsWay.of(removal, rules, request),
        "is_removed": removal.state == RemovalState.REMOVED,
        "is_open": removal.state in story.UNDER_WAY,
        "gates": list(_evidence_of(removal)),
        "rule": dict.fromkeys(("days", "proof_days", "version"), looks.NOTHING) | dict(removal.rule),
    } | _may(request)
    return render(request, "clean_up/removal.html", context)


def _evidence_of(removal: Removal) -> Iterator[dict[str, Any]]:
    """The gates as they were recorded; a certificate outlives the code that wrote it."""
    recorded = removal.evidence if isinstance(removal.evidence, list) else []
    return (gate for gate in recorded if isinstance(gate, dict))


@require_safe
def clean_up_manifest(request: HttpRequest, pk: int) -> HttpResponse:
    """What was removed, file by file, with sizes, times and hashes."""
    removal = get_object_or_404(Removal, pk=pk)
    if not removal.manifest:
        raise Http404("It has none yet.")
    response = HttpResponse(removal.manifest, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="removal_{pk}_manifest.txt"'
    return response


# --- What people decide --------------------------------------------------------------------------------


class WhyForm(forms.Form):
    reason = forms.CharField(max_length=500, error_messages={"required": "Say why: it is kept."})


class HoldForm(WhyForm):
    run = forms.CharField(max_length=1000)
    until = forms.DateField(required=False)

    def clean_run(self) -> Delivery:
        """The run of that name; where several have it, of that path."""
        text = self.cleaned_data["run"]
        found = list(Delivery.objects.filter(Q(name=text) | Q(path=text)).exclude(identity=None)[:2])
        if len(found) != 1:
            how_many = "No run is" if not found else "Several runs are"
            raise ValidationError(f"{how_many} called so; write the name of a run folder, or its whole path.")
        return found[0]

    def clean_until(self) -> date | None:
        until: date | None = self.cleaned_data["until"]
        if until and until < timezone.now().date():
            raise ValidationError("The last day of a hold lies in the future.")
        return until


def _decide(request: PageRequest, decision: Callable[[], object], done: str) -> HttpResponse:
    """Carry out a decision, and tell what became of it."""
    try:
        decision()
    except (story.CleanUpRefused, holds.HoldRefused) as refused:
        messages.error(request, looks.printable(f"Nothing was changed. {refused}"))
    except OSError as failure:
        messages.error(request, looks.printable(f"Nothing was changed. A disk failed: {failure}"))
    else:
        messages.success(request, done)
    return redirect("clean_up")


def _refuse(request: PageRequest, form: forms.Form) -> HttpResponse:
    wrong = " ".join(str(error) for errors in form.errors.values() for error in errors)
    messages.error(request, looks.printable(f"Nothing was changed. {wrong}"))
    return redirect("clean_up")


@require_POST
@permission_required(holds.PERMISSION, raise_exception=True)
def clean_up_hold(request: PageRequest) -> HttpResponse:
    form = HoldForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    said = form.cleaned_data
    done = "Held: nothing of it is removed. What stands in quarantine goes back at the next turn."
    return _decide(
        request, lambda: holds.place(said["run"], request.user, said["reason"], said["until"]), done
    )


@require_POST
@permission_required(holds.PERMISSION, raise_exception=True)
def clean_up_release(request: PageRequest, pk: int) -> HttpResponse:
    hold, form = get_object_or_404(Hold.objects.select_related("delivery"), pk=pk), WhyForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    reason = form.cleaned_data["reason"]
    return _decide(request, lambda: holds.release(hold, request.user, reason), "Released.")


@require_POST
@permission_required(story.MAY_CLEAN_UP, raise_exception=True)
def clean_up_propose(request: PageRequest, pk: int) -> HttpResponse:
    """Look at disks and S3 now, and write it down if every gate is open."""
    delivery, target = get_object_or_404(Delivery, pk=pk), request.POST.get("target", "")
    rules = clean_up_rules_of_settings()
    if target not in rules.rules:
        raise Http404("There is no such target.")
    done = "Proposed. " + ("Another person must approve it." if rules.needs_approval else _by_whom())
    return _decide(
        request, lambda: story.propose(story.candidate(delivery, target, rules), rules, request.user), done
    )


def _by_whom() -> str:
    if settings.SEQAUTO_CLEAN_UP_ENABLED:
        return "It goes into quarantine at the next turn, within the hour."
    return "It goes into quarantine with “manage.py clean_up_runs --execute”."


@require_POST
@permission_required(story.MAY_APPROVE, raise_exception=True)
def clean_up_approve(request: PageRequest, pk: int) -> HttpResponse:
    removal = _removal(pk)
    reason = request.POST.get("reason", "")[:500]
    return _decide(request, lambda: story.approve(removal, request.user, reason), f"Approved. {_by_whom()}")


@require_POST
@permission_required(story.MAY_CLEAN_UP, raise_exception=True)
def clean_up_withdraw(request: PageRequest, pk: int) -> HttpResponse:
    removal, form = _removal(pk), WhyForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    rules, reason = clean_up_rules_of_settings(), form.cleaned_data["reason"]
    return _decide(
        request, lambda: story.withdraw(removal, rules, request.user, reason), "It stays in its place."
    )


@require_POST
@permission_required(story.MAY_CLEAN_UP, raise_exception=True)
def clean_up_go_on(request: PageRequest, pk: int) -> HttpResponse:
    removal, form = _removal(pk), WhyForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    reason = form.cleaned_data["reason"]
    done = "It goes on: every gate is asked again."
    return _decide(request, lambda: story.go_on(removal, request.user, reason), done)


def _removal(pk: int) -> Removal:
    return get_object_or_404(Removal.objects.select_related("delivery").defer("manifest"), pk=pk)
