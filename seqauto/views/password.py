"""One's own password."""

from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy

from seqauto.audit import record


class ChangePassword(PasswordChangeView):
    """Django's own, with an entry in the audit. Other sessions of the same person end."""

    template_name = "registration/password.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        user = form.user
        with transaction.atomic():
            response = super().form_valid(form)
            record(
                "user.password_changed", user, user=user, before={"changed": False}, after={"changed": True}
            )
        messages.success(self.request, "Your password is changed.")
        return response
