"""What tests of converters share: Picard, where it is there."""

import pytest

from sequencing.converters import Converter, find_converter


@pytest.fixture(scope="session")
def picard() -> Converter:
    """The real Picard of this machine."""
    found = find_converter(["picard"])
    if found is None:
        pytest.skip("needs Picard (Debian: picard-tools), which is not on the PATH")
    return found
