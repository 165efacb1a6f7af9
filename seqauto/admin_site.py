"""The admin, in which each change and its entry in the audit are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.apps import AdminConfig
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest


class AuditedConfig(AdminConfig):
    default_site = "seqauto.admin_site.AuditedSite"


class AuditedSite(AdminSite):
    """Django's admin site; whatever model it shows, and whoever wrote that page, its changes are audited."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        base = admin_class or ModelAdmin
        audited = type(base.__name__, (_Audited, base), {"__module__": base.__module__})
        super().register(model_or_iterable, audited, **options)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        @wraps(view)
        def in_one_transaction(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            with transaction.atomic() if request.method == "POST" else nullcontext():
                return view(request, *args, **kwargs)

        return super().admin_view(in_one_transaction, cacheable)


class _Audited:
    """Writes an entry wherever Django's admin writes its own log, and for each object of an action."""

    def construct_change_message(
        self, request: HttpRequest, form: BaseForm, formsets: Any, add: bool = False
    ) -> Any:
        told = [name for name in form.changed_data if "password" not in name]
        secret = {"password": "set anew"} if len(told) < len(form.changed_data) else {}
        request.audited = (  # type: ignore[attr-defined]
            {} if add else {name: _plain(form.initial.get(name)) for name in told},
            {name: _plain(form.cleaned_data.get(name)) for name in told} | secret,
        )
        return super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _record("add", request, obj)
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _record("change", request, obj)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        for obj in queryset:
            _record("delete", request, obj)
        return super().log_deletions(request, queryset)  # type: ignore[misc]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)  # type: ignore[misc]
        return {
            name: (function if name == "delete_selected" else _recorded(name, function), name, words)
            for name, (function, _name, words) in actions.items()
        }


def _recorded(name: str, action: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(action)
    def act(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            _record(name, request, obj)
        return action(page, request, queryset)

    return act


def _record(action: str, request: HttpRequest, obj: Model) -> None:
    from .audit import record  # models cannot be had yet when this module is loaded

    before, after = getattr(request, "audited", ({}, {}))
    record(f"admin.{action}"[:60], obj, user=request.user, before=before, after=after)  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    """A value of a form as JSON can hold it."""
    if isinstance(value, QuerySet | list | tuple | set):
        return [str(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
