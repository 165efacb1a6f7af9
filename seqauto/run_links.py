"""Links from a run's page to other systems of the lab, by SEQAUTO_RUN_LINKS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .models import SequencingRun

#: What an address may name in braces.
PLACEHOLDERS = ("name", "flowcell", "experiment", "instrument", "run_number", "group")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def links_of(run: SequencingRun, addresses: Mapping[str, str]) -> list[tuple[str, str]]:
    """(word, address) of each link; one that names what nobody knows of this run is left out."""
    values = _values(run)
    return [
        (word, _PLACEHOLDER.sub(lambda match: values[match[1]], address))
        for word, address in addresses.items()
        if all(values.get(name) for name in _PLACEHOLDER.findall(address))
    ]


def _values(run: SequencingRun) -> dict[str, str]:
    """What stands for each placeholder, quoted: whatever a disk or a sheet says stays one part of a path."""
    texts = {
        "name": run.name,
        "flowcell": run.flowcell,
        "experiment": run.experiment.name if run.experiment else "",
        "instrument": run.sequencer.serial if run.sequencer else "",
        "run_number": "" if run.run_number is None else str(run.run_number),
        "group": run.group,
    }
    return {name: quote(text, safe="") for name, text in texts.items()}


def amiss_with_links(addresses: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong with such addresses, a sentence each."""
    for word, address in addresses.items():
        if not word.strip() or not isinstance(address, str):
            yield f"{word!r}: {address!r} is no address with a word for it."
        elif unknown := [name for name in _PLACEHOLDER.findall(address) if name not in PLACEHOLDERS]:
            yield f"{word!r}: {{{unknown[0]}}} is unknown; known are {', '.join(PLACEHOLDERS)}."
        elif wrong := _amiss_with_address(address):
            yield f"{word!r}: {address!r} {wrong}."


def _amiss_with_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as error:
        return f"is no address: {error}"
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", address):
        return "does not begin with http:// or https:// and a host, or has a space in it"
    if "{" in parts.netloc or "}" in parts.netloc:
        return "has a placeholder in its host: it may stand after that only"
    return "has a brace without its other" if set("{}") & set(_PLACEHOLDER.sub("", address)) else ""
