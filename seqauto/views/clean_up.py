"""Safe to delete: what could go and why, what is on its way out, what people hold, and what was removed.

The page tells what the database knows and never waits for a disk or S3; those are asked before anything
happens to a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from seqauto import clean_up as story
from seqauto import holds, strays
from seqauto.clean_up_facts import known, place_of
from seqauto.clean_up_rules import CleanUpRules, clean_up_rules_of_settings
from seqauto.delivery_states import DIFFERS
from seqauto.gates import Facts, Gate, gates
from seqauto.holdings import holding, to_prefetch
from seqauto.models import Delivery, DeliveryStep, Hold, Removal
from seqauto.models.clean_up import UNDER_WAY, RemovalState, Target, still_there
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.removal_rows import why_it_stays
from seqauto.roles import CAN_APPROVE, CAN_CLEAN_UP, CAN_HOLD
from seqauto.templatetags import looks

from . import PageRequest
from .removals import (
    OnItsWay,
    elsewhere,
    ended,
    evidence_of,
    on_their_way,
    place_in_quarantine,
    who_carried_out,
)
from .scans import number_in

RUNS_A_PAGE = 10
RUNS_WEIGHED = 20
"""So many runs at most are weighed for the first lines of the page."""
REMOVED_SHOWN = 15
HOLDS_SHOWN = 100


# --- The page ------------------------------------------------------------------------------------------


@require_safe
def clean_up(request: PageRequest) -> HttpResponse:
    return _page(request, HoldForm())


def _page(request: PageRequest, hold_form: HoldForm) -> HttpResponse:
    rules, now = clean_up_rules_of_settings(), timezone.now()
    after, before = number_in(request, "after"), number_in(request, "before")
    runs = _page_of(standing_somewhere(rules), after)
    shown, more = runs[:RUNS_A_PAGE], len(runs) > RUNS_A_PAGE
    ripe = list(_ripe(rules, now)[: RUNS_WEIGHED + 1])
    candidates = _candidates([*shown, *ripe[:RUNS_WEIGHED]], rules, now)
    held = list(holds.holds_at(now).select_related("delivery"))
    on_its_way = on_their_way(story.under_way(), rules, request, now, held)
    gone, older = ended(before, REMOVED_SHOWN)
    context = {
        "rules": rules,
        "is_by_itself": settings.SEQAUTO_CLEAN_UP_ENABLED,
        "could_go": _could_go(ripe, candidates, rules),
        "candidates": [one for run in shown for one in candidates[run.pk]],
        "why_empty": "" if shown else _why_empty(on_its_way, is_first_page=not after),
        "next_run": shown[-1].pk if more else None,
        "is_first_page": not after,
        "waiting": [one for one in on_its_way if one.needs_a_person],
        "under_way": [one for one in on_its_way if not one.needs_a_person],
        "strays": strays.told(),
        "holds": held[:HOLDS_SHOWN],
        "hold_form": hold_form,
        "ended": gone,
        "older": older,
        "is_newest": not before,
    } | _may(request)
    return render(request, "clean_up/list.html", context)


def _may(request: PageRequest) -> dict[str, bool]:
    permissions = {"can_hold": CAN_HOLD, "can_clean_up": CAN_CLEAN_UP}
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
    stays: str = ""
    """Why only a person's word takes it."""

    @property
    def is_closed(self) -> bool:
        return any(gate.is_known and not gate.passed for gate in self.gates)

    @property
    def state(self) -> looks.State:
        if self.is_closed:
            return looks.State("Must stay", "idle")
        return looks.State("Stays", "idle") if self.stays else looks.State("Could go", "ok")

    @property
    def why(self) -> str:
        """What was seen at the first gate that is closed; else why it stays."""
        closed = (gate.evidence for gate in self.gates if gate.is_known and not gate.passed)
        return next(closed, self.stays)

    @property
    def counts(self) -> str:
        """`9 of 14 gates passed, 5 are looked at before it goes`."""
        passed = f"{sum(gate.passed for gate in self.gates)} of {len(self.gates)} gates passed"
        open_ones = sum(not gate.is_known for gate in self.gates)
        verb = "is" if open_ones == 1 else "are"
        return f"{passed}, {open_ones} {verb} looked at before it goes" if open_ones else passed


@dataclass(frozen=True, slots=True)
class CouldGo:
    """What the first line says; `is_all` is false where only the first runs were weighed."""

    folders: int
    runs: int
    bytes: int
    is_all: bool


def standing_somewhere(rules: CleanUpRules) -> QuerySet[Delivery]:
    """Runs that were delivered and hold something which a rule is about and nobody removes.

    The first found first; of those whose copy is damaged by now, too.
    """
    wanted = Q(pk__in=())
    for target, rule in rules.rules.items():
        if rule.is_on:
            wanted |= _stands(target)
    found = Delivery.objects.filter(wanted, delivered_at__isnull=False).exclude(identity=None)
    return found.order_by("pk").prefetch_related(*to_prefetch())


def _stands(target: str) -> Q:
    """Of this target something stands there, as the database knows it."""
    removals = Removal.objects.filter(delivery=OuterRef("pk"), target=target, state__in=UNDER_WAY)
    if target == Target.SOURCE:
        return Q(gone_at=None) & ~Q(Exists(removals))
    kind = StepKind.CONVERT if target == Target.FASTQS else StepKind.BACK_UP
    made = DeliveryStep.objects.filter(Q(state=StepState.DONE) | Q(code=DIFFERS), kind=kind)
    return Q(Exists(still_there(made, target).filter(delivery=OuterRef("pk")))) & ~Q(Exists(removals))


def _page_of(runs: QuerySet[Delivery], after: int) -> Sequence[Delivery]:
    return list(runs.filter(pk__gt=after).prefetch_related(None)[: RUNS_A_PAGE + 1])


def _ripe(rules: CleanUpRules, now: datetime) -> QuerySet[Delivery]:
    """Those that neither a hold nor their age keeps here."""
    days = min((rule.days for rule in rules.rules.values() if rule.is_on), default=0)
    delivered = standing_somewhere(rules).filter(state=DeliveryState.DELIVERED, is_held=False)
    ripe = delivered.filter(delivered_at__lte=now - timedelta(days=days))
    return ripe.exclude(pk__in=holds.holds_at(now).values("delivery")).prefetch_related(None)


def _candidates(runs: Sequence[Delivery], rules: CleanUpRules, now: datetime) -> dict[int, list[Candidate]]:
    """The candidates of each run; the database is asked once of a run that is named twice."""
    weighed = list({run.pk: run for run in runs}.values())
    prefetch_related_objects(weighed, *to_prefetch())
    facts = known(weighed, now, fastqs_suffice=rules.fastqs_suffice)
    return {run.pk: list(_candidates_of(run, facts[run.pk], rules, now)) for run in weighed}


def _candidates_of(run: Delivery, facts: Facts, rules: CleanUpRules, now: datetime) -> Iterator[Candidate]:
    held = holding(run)
    removals = sorted(run.removals.all(), key=lambda one: one.pk)
    back = {one.target: why_it_stays(one) for one in removals if one.state == RemovalState.PUT_BACK}
    for target in story.standing(run, rules):
        path, judged = place_of(run, target, rules).path, gates(facts, rules.rules[target], now)
        size = held.of(target) or 0
        yield Candidate(run, Target(target), str(path or ""), size, judged, back.get(target, ""))


def _why_empty(removals: Sequence[OnItsWay], *, is_first_page: bool) -> str:
    if not is_first_page:
        return "No further run."
    if not Delivery.objects.filter(delivered_at__isnull=False).exists():
        return (
            "Nothing here yet. Once a run is delivered, each of its folders will stand here with every gate "
            "that lies before its removal."
        )
    if removals:
        return "All that delivered runs hold here is on its way out: see above."
    return "No delivered run holds anything here that a rule is about."


def _could_go(
    ripe: Sequence[Delivery], candidates: dict[int, list[Candidate]], rules: CleanUpRules
) -> CouldGo:
    """What no gate that the database knows keeps here."""
    weighed = (one for run in ripe[:RUNS_WEIGHED] for one in candidates[run.pk])
    free = [one for one in weighed if not one.is_closed and not one.stays]
    if not rules.fastqs_suffice:  # a backup stays where its run folder goes
        sources = {one.delivery.pk for one in free if one.target == Target.SOURCE}
        free = [one for one in free if one.target != Target.BACKUP or one.delivery.pk not in sources]
    size = sum(one.bytes for one in free)
    return CouldGo(len(free), len({one.delivery.pk for one in free}), size, len(ripe) <= RUNS_WEIGHED)


# --- One removal: its certificate ----------------------------------------------------------------------


@require_safe
def clean_up_removal(request: PageRequest, pk: int) -> HttpResponse:
    rows = Removal.objects.select_related("delivery").defer("manifest")
    removal = get_object_or_404(rows.annotate(has_manifest=~Q(manifest="")), pk=pk)
    rules = clean_up_rules_of_settings()
    (on_its_way,) = on_their_way([removal], rules, request, timezone.now())
    context = {
        "removal": removal,
        "on_its_way": on_its_way,
        "is_removed": removal.state == RemovalState.REMOVED,
        "is_open": removal.state in UNDER_WAY,
        "who": who_carried_out(removal),
        "quarantine": place_in_quarantine(removal, rules),
        "elsewhere": elsewhere(removal),
        "gates": list(evidence_of(removal)),
        "rule": dict.fromkeys(("days", "proof_days", "version"), looks.NOTHING) | dict(removal.rule),
    } | _may(request)
    return render(request, "clean_up/removal.html", context)


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
    run = forms.CharField(max_length=1000, error_messages={"required": "Say which run."})
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
        if until and until < timezone.localdate():
            raise ValidationError("The last day of a hold is today or later.")
        return until


def _decide(request: PageRequest, about: str, decision: Callable[[], object], done: str) -> HttpResponse:
    """Carry out a decision about a run or one of its folders, and tell what became of it."""
    try:
        decision()
    except (story.CleanUpRefused, holds.HoldRefused) as refused:
        messages.error(request, looks.printable(f"{about}: nothing was changed. {refused}"))
    except OSError as failure:
        messages.error(request, looks.printable(f"{about}: nothing was changed. A disk failed: {failure}"))
    else:
        messages.success(request, looks.printable(f"{about}: {done}"))
    return redirect(_back_to(request))


def _back_to(request: PageRequest) -> str:
    """The delivery's page, where the form stood there; else this one."""
    number = request.POST.get("delivery", "")
    is_number = number.isascii() and number.isdecimal() and len(number) < 16
    return reverse("delivery", args=[int(number)]) if is_number else reverse("clean_up")


def _refuse(request: PageRequest, form: forms.Form) -> HttpResponse:
    messages.error(request, _all_wrong(form))
    return redirect(_back_to(request))


def _all_wrong(form: forms.Form) -> str:
    wrong = " ".join(str(error) for errors in form.errors.values() for error in errors)
    return looks.printable(f"Nothing was changed. {wrong}")


def _named(removal: Removal) -> str:
    return f"{removal.get_target_display()} of {removal.delivery.name}"


@require_POST
@permission_required(CAN_HOLD, raise_exception=True)
def clean_up_hold(request: PageRequest) -> HttpResponse:
    form = HoldForm(request.POST)
    if not form.is_valid():
        if request.POST.get("delivery"):
            return _refuse(request, form)
        messages.error(request, _all_wrong(form))
        return _page(request, form)
    said = form.cleaned_data
    done = "held. Nothing of it is removed; what stands in quarantine goes back at the next turn."
    return _decide(
        request,
        said["run"].name,
        lambda: holds.place(said["run"], request.user, said["reason"], said["until"]),
        done,
    )


@require_POST
@permission_required(CAN_HOLD, raise_exception=True)
def clean_up_release(request: PageRequest, pk: int) -> HttpResponse:
    hold, form = get_object_or_404(Hold.objects.select_related("delivery"), pk=pk), WhyForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    reason, done = form.cleaned_data["reason"], f"the hold of {hold.user_name} is released."
    return _decide(request, hold.delivery.name, lambda: holds.release(hold, request.user, reason), done)


@require_POST
@permission_required(CAN_CLEAN_UP, raise_exception=True)
def clean_up_propose(request: PageRequest, pk: int) -> HttpResponse:
    """Write it down if no gate is known to be closed; disks and S3 are asked before anything moves."""
    delivery, target = get_object_or_404(Delivery, pk=pk), request.POST.get("target", "")
    rules = clean_up_rules_of_settings()
    if target not in rules.rules:
        raise Http404("There is no such target.")
    done = "proposed. " + ("Another person must approve it." if rules.needs_approval else _by_whom())
    return _decide(
        request,
        f"{Target(target).label} of {delivery.name}",
        lambda: story.propose(story.known_candidate(delivery, target, rules), rules, request.user),
        done,
    )


def _by_whom() -> str:
    if settings.SEQAUTO_CLEAN_UP_ENABLED:
        return "Everything is looked at at the next turn, within the hour, then it goes into quarantine."
    return "It goes into quarantine with “manage.py clean_up_runs --execute”."


@require_POST
@permission_required(CAN_APPROVE, raise_exception=True)
def clean_up_approve(request: PageRequest, pk: int) -> HttpResponse:
    removal = _removal(pk)
    reason = request.POST.get("reason", "")[:500]
    done = f"approved. {_by_whom()}"
    return _decide(request, _named(removal), lambda: story.approve(removal, request.user, reason), done)


@require_POST
@permission_required(CAN_CLEAN_UP, raise_exception=True)
def clean_up_withdraw(request: PageRequest, pk: int) -> HttpResponse:
    removal, form = _removal(pk), WhyForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    rules, reason = clean_up_rules_of_settings(), form.cleaned_data["reason"]
    done = f"put back to {removal.path}." if removal.tombstone else "withdrawn. It stays in its place."
    return _decide(
        request, _named(removal), lambda: story.withdraw(removal, rules, request.user, reason), done
    )


@require_POST
@permission_required(CAN_CLEAN_UP, raise_exception=True)
def clean_up_go_on(request: PageRequest, pk: int) -> HttpResponse:
    removal, form = _removal(pk), WhyForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    reason, done = form.cleaned_data["reason"], "goes on. Every gate is asked again at the next turn."
    return _decide(request, _named(removal), lambda: story.go_on(removal, request.user, reason), done)


def _removal(pk: int) -> Removal:
    return get_object_or_404(Removal.objects.select_related("delivery").defer("manifest"), pk=pk)
