"""The Celery app, configured by the CELERY_* settings of Django."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.local")

app = Celery("seqauto")
app.config_from_object("django.conf:settings", namespace="CELERY")
