"""What browsers fetch: every icon that pages name is at hand, and compressed files are those beside them."""

import gzip
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def icons():
    """The script behind `make icons`."""
    spec = importlib.util.spec_from_file_location("icons", ROOT / "scripts" / "icons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_icon_that_pages_name_is_among_the_chosen_ones(icons):
    chosen = icons.icons_of(ROOT / "static" / "icons" / "icons.css")
    missing = sorted(set(icons.named()) - set(chosen))
    assert missing == [], "Run `make icons`, and commit static/icons/."
    assert {"check-circle-fill", "sort-up", "star-fill"} <= set(chosen)  # named in Python, a choice, a table


def test_the_font_holds_every_chosen_icon(icons):
    font = pytest.importorskip("fontTools.ttLib").TTFont(ROOT / "static" / "icons" / "icons.woff")
    codes = icons.icons_of(ROOT / "static" / "icons" / "icons.css").values()
    assert {int(code, 16) for code in codes} <= set(font.getBestCmap())


def test_what_lies_compressed_beside_a_file_is_that_file():
    compressed = sorted((ROOT / "static" / "vendor").rglob("*.gz"))
    assert compressed
    for path in compressed:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes(), path
