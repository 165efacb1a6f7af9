"""Settings of SeqAuto: the only readers of the environment.

The Celery app is loaded here so that every process, the web server too, queues tasks through it.
"""

from .celery import app as celery_app

__all__ = ["celery_app"]
