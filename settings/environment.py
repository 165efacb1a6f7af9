"""Reads typed values from the environment; a value of the wrong form stops the start with one clear sentence.

An empty variable counts as absent, so that a line `NAME=` in an environment file means the default.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def required(*names: str) -> list[str]:
    """The values of `names`; all that are missing are named at once."""
    values = [text(name, "") for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise ImproperlyConfigured(
            f"Production needs {', '.join(missing)} in the environment: see docs/configuration.md."
        )
    return values


def flag(name: str, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value in {"true", "yes", "on", "1"}:
        return True
    if value in {"false", "no", "off", "0"}:
        return False
    raise _wrong(name, "true or false")


def integer(name: str, default: int, least: int = 1) -> int:
    value = text(name, str(default))
    if not re.fullmatch(r"\d{1,9}", value) or int(value) < least:
        raise _wrong(name, f"a whole number, at least {least}")
    return int(value)


def share(name: str, default: float) -> float:
    value = text(name, str(default))
    if not re.fullmatch(r"0(\.\d+)?|1(\.0+)?", value):
        raise _wrong(name, "a number from 0 to 1")
    return float(value)


def folder(name: str, default: Path) -> Path:
    return _absolute(text(name, str(default)))


def folder_or_none(name: str) -> Path | None:
    return _absolute(value) if (value := text(name, "")) else None


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    if (value := text(name, default)) not in choices:
        raise _wrong(name, " or ".join(choices))
    return value


def folders(name: str) -> list[Path]:
    """Folders separated by colons."""
    return [_absolute(part) for part in text(name, "").split(":") if part]


def words(name: str, default: str = "") -> list[str]:
    """Words separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def json_list(name: str, default: list[str]) -> list[str]:
    value = _json(name, default)
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise _wrong(name, 'a JSON list of texts, such as ["a", "b"]')
    return value


def json_object(name: str) -> dict[str, Any]:
    value = _json(name, {})
    if not isinstance(value, dict):
        raise _wrong(name, 'a JSON object, such as {"key": "value"}')
    return value


def _json(name: str, default: Any) -> Any:
    try:
        return json.loads(text(name, json.dumps(default)))
    except ValueError as error:
        raise _wrong(name, f"JSON ({error})") from error


def _absolute(path: str) -> Path:
    # Not resolved: a root is known by the path that the lab gave it, even where that is a link.
    return Path(os.path.abspath(os.path.expanduser(path)))


def _wrong(name: str, wanted: str) -> ImproperlyConfigured:
    # The value itself stays out of the message: it may be a secret put into the wrong variable.
    return ImproperlyConfigured(
        f"The environment variable {name} must be {wanted}: see docs/configuration.md."
    )
