"""Log lines in which text from disks and sheets is inert: it neither colours a terminal nor forges a line."""

import logging
import logging.handlers
import re
from pathlib import Path
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


class WithoutTicks(logging.Filter):
    """Leaves out the worker's word on beat's ticks, which every minute would scroll everything else away."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage() if record.levelno <= logging.INFO else ""
        return "scan_run_jobs.tick[" not in said and "look_after_deliveries[" not in said


class FolderedFileHandler(logging.handlers.WatchedFileHandler):
    """A log file whose folder is made at its first line."""

    def _open(self) -> Any:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()


def logging_for(var: Path) -> dict[str, Any]:
    """Everything goes to the console; what happens to deliveries also into a log file of their own."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "inert": {"()": InertFormatter, "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        },
        "filters": {"without_ticks": {"()": WithoutTicks}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "inert", "filters": ["without_ticks"]},
            "deliveries": {
                "()": FolderedFileHandler,
                "filename": str(var / "deliveries" / "delivery.log"),
                "encoding": "utf-8",
                "errors": "backslashreplace",
                "delay": True,
                "formatter": "inert",
            },
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # Django's own handlers would repeat every line, or stay silent without DEBUG.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # Where credentials were found is no news, at every upload.
            "botocore.credentials": {"level": "WARNING"},
            # Nor is every login.
            "axes": {"level": "WARNING"},
            "seqauto.deliveries": {"handlers": ["deliveries"], "level": "INFO", "propagate": True},
        },
    }
