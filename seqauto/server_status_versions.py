"""Which software this process runs: SeqAuto itself and what it stands on."""

from __future__ import annotations

import platform
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from django.conf import settings

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def seqauto_version(folder: Path) -> str:
    """`0.2.0 (9cbf2bb1c4)`: the version that pyproject.toml names, and the commit where that is known."""
    told = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    commit = _commit(folder / ".git")
    return f"{told} ({commit[:10]})" if commit else told


def _commit(git: Path) -> str:
    """The commit of a clone, "" for a folder that is none; without git, which may refuse another user's."""
    try:
        head = (git / "HEAD").read_text().strip().removeprefix("ref: ")
        if _COMMIT.fullmatch(head):
            return head
        loose = git / head
        known = loose.read_text() if loose.exists() else _packed(git, head)
    except OSError:
        return ""
    return known.strip() if _COMMIT.fullmatch(known.strip()) else ""


def _packed(git: Path, ref: str) -> str:
    lines = (git / "packed-refs").read_text().splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")


#: Read when the process starts: later the folder may hold newer code than what runs.
SOFTWARE = {
    "SeqAuto": seqauto_version(settings.BASE_DIR),
    "Python": platform.python_version(),
    **{name: version(name.lower()) for name in ("Django", "Celery")},
}
