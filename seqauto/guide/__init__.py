"""What pages tell people of themselves: every error code, every state, every page. Words only."""

from .codes import CODES, Explained
from .pages import PAGES
from .states import STATES

__all__ = ["CODES", "PAGES", "STATES", "Explained"]
