"""The pages. Each asks for its rows, its filter and its table, and lets a template show them."""

from django.contrib.auth.models import User
from django.http import HttpRequest


class PageRequest(HttpRequest):
    """A request of somebody who has logged in: LoginRequiredMiddleware lets no other through to a view."""

    user: User
