"""For a server: see docs/installation.md. Starts only with SECRET_KEY, ALLOWED_HOSTS and DATABASE_URL."""

from . import environment
from .base import *
from .base import SEQAUTO_VAR_DIR, broker_options, database

DEBUG = False
SECRET_KEY, _hosts, _database_url = environment.required("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL")
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", _hosts)
DATABASES = {"default": database(_database_url)}

CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(CELERY_BROKER_URL)

# The proxy in front ends TLS and sets this header itself, whatever the client sent: see deploy/nginx.conf.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
AXES_CLIENT_IP_CALLABLE = "seqauto.logins.address_before_the_proxy"
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

# Names carry a hash of the content, so that browsers keep files for ever; needs `manage.py collectstatic`.
WHITENOISE_USE_FINDERS = False
STATIC_ROOT = SEQAUTO_VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
