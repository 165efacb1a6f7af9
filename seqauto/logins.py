"""Where a login comes from."""

from ipaddress import ip_address

from django.http import HttpRequest


def address_before_the_proxy(request: HttpRequest) -> str | None:
    """The address that the proxy in front saw: the last of X-Forwarded-For, as clients forge earlier ones."""
    seen = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(seen))
    except ValueError:
        return request.META.get("REMOTE_ADDR") or None
