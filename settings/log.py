"""Log lines in which text from disks and sheets is inert: it neither colours a terminal nor forges a line."""

import logging
import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


class InertFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _CONTROL.sub(_escaped, record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return _CONTROL_BUT_NEWLINE.sub(_escaped, super().formatException(ei))


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "inert": {"()": InertFormatter, "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "inert"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django's own handlers would repeat every line, or stay silent without DEBUG.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # Beat's tick would scroll everything else away; what a scan does is logged by seqauto.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
