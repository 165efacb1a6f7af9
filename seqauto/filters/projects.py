"""Project codes as people type them: in upper or lower case, out of those that are known."""

from typing import Any

import django_filters as filters

from seqauto.models import SequencingSample
from seqauto.models.distinct import distinct_texts

from .parts import TEXT, Offering, text

#: So many codes are offered; labs with more know theirs by heart.
MOST_OFFERED = 500


def project_code(**more: Any) -> filters.CharFilter:
    """A field for a code, which offers those that are known."""
    widget = Offering(TEXT | {"placeholder": "Code"}, "known_codes", known_codes)
    return text("Project", widget=widget, **more)


def known_codes() -> list[str]:
    """The first ones in order."""
    codes = distinct_texts(SequencingSample, "project", MOST_OFFERED + 1)  # one may be none
    return [code for code in codes if code][:MOST_OFFERED]


def codes_like(typed: str) -> list[str]:
    """The known codes that differ from this in case alone: by these, as they stand, an index finds rows."""
    folded = typed.casefold()
    return [code for code in distinct_texts(SequencingSample, "project") if code.casefold() == folded]
