"""What people change of one run: its flags, a rescan, and that SeqAuto knows of it at all."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from seqauto import forgetting
from seqauto import scans as story
from seqauto.audit import record
from seqauto.models import SequencingRun
from seqauto.roles import CAN_FLAG, CAN_START
from seqauto.tables import FLAGS
from seqauto.templatetags import looks

from . import PageRequest
from .run import IS_LEGACY, run_context, run_of
from .scans import ask_for_scan

# --- Flags ---------------------------------------------------------------------------------------------


class FlagsForm(forms.ModelForm):
    why = forms.CharField(
        max_length=500,
        widget=forms.TextInput({"class": "form-control"}),
        help_text="One sentence, kept in the run's history.",
    )

    class Meta:
        model = SequencingRun
        fields = list(FLAGS)
        help_texts = {
            "is_gold_standard": "A reference that other runs are measured against.",
            "is_bad": "Its data should not be used.",
            "is_hidden": "Left out of the lists unless asked for.",
            "is_legacy": "Never updated by scans.",
        }
        widgets = {name: forms.CheckboxInput({"class": "form-check-input"}) for name in FLAGS}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The page sends back what it showed: a flag that somebody else has changed since, and this person has
        # not touched, stays as it is.
        for name in FLAGS:
            self.fields[name].show_hidden_initial = True

    def changed_flags(self) -> list[str]:
        """The flags that the person changed, and that do not stand so already."""
        return [
            name
            for name in FLAGS
            if name in self.changed_data and self.initial[name] != self.cleaned_data[name]
        ]


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(CAN_FLAG, raise_exception=True)
def run_flags(request: PageRequest, pk: int) -> HttpResponse:
    if request.method != "POST":
        run = run_of(pk)
        return _flags_page(request, run, FlagsForm(instance=run))
    with transaction.atomic():
        run = get_object_or_404(SequencingRun.objects.select_for_update(), pk=pk)
        form = FlagsForm(request.POST, instance=run)
        if not form.is_valid():
            return _flags_page(request, run_of(pk), form)
        changed = form.changed_flags()
        if changed:
            # Only the flags: a scan may write the run's other fields at this moment.
            run.save(update_fields=[*changed, "updated_at"])
            record(
                "run.flags_set",
                run,
                user=request.user,
                before={FLAGS[name][1]: form.initial[name] for name in changed},
                after={FLAGS[name][1]: form.cleaned_data[name] for name in changed},
                reason=form.cleaned_data["why"],
            )
    messages.success(request, "Flags saved." if changed else "No flag was changed.")
    return redirect(run)


def _flags_page(request: HttpRequest, run: SequencingRun, form: FlagsForm) -> HttpResponse:
    context = run_context(request, run, "flags") | {"form": form}
    return render(request, "runs/flags.html", context, status=422 if form.errors else 200)


# --- Rescan --------------------------------------------------------------------------------------------


@require_POST
@permission_required(CAN_START, raise_exception=True)
def run_rescan(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(SequencingRun, pk=pk)
    refusal = IS_LEGACY if run.is_legacy else story.why_disabled()
    if refusal:
        messages.error(request, f"The run was not marked for a rescan. {refusal}")
        return redirect(run)
    with transaction.atomic():
        was_asked_for = not run.fingerprint
        story.request_rescan(run)
        record(
            "run.rescan_asked",
            run,
            user=request.user,
            before={"read anew by the next scan": was_asked_for},
            after={"read anew by the next scan": True},
        )
    messages.success(request, "The next scan reads this run anew.")
    ask_for_scan(request)
    return redirect(run)


# --- Delete --------------------------------------------------------------------------------------------


class DeleteForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        label="Why",
        widget=forms.TextInput({"class": "form-control"}),
        help_text="One sentence, kept in the audit with your name.",
        error_messages={"required": "Say why: it is kept."},
    )
    is_sure = forms.BooleanField(
        label="Remove what SeqAuto knows of this run",
        widget=forms.CheckboxInput({"class": "form-check-input"}),
        error_messages={"required": "Tick this if you mean it."},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def run_delete(request: PageRequest, pk: int) -> HttpResponse:
    """Forget a run: its rows go, no file does."""
    if not request.user.is_superuser:
        raise PermissionDenied
    run, form = run_of(pk), DeleteForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _delete_page(request, run, form)
    story.fail_abandoned_scans()  # a scan that died must not keep the run
    try:
        forgetting.forget(run, request.user, form.cleaned_data["reason"])
    except forgetting.ForgetRefused as refused:
        messages.error(request, f"Nothing was deleted. {refused}")
        return redirect(run)
    name = looks.printable(run.name)
    messages.success(request, f"{name} is deleted here. Its folder on the disk is as it was.")
    return redirect("runs")


def _delete_page(request: HttpRequest, run: SequencingRun, form: DeleteForm) -> HttpResponse:
    context = run_context(request, run, "delete") | {"form": form, "known": forgetting.known_of(run)}
    return render(request, "runs/delete.html", context, status=422 if form.errors else 200)
