"""Asks neighbours that may be slow or dead, so that nobody waits for them: in a thread, one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.utils import timezone

T = TypeVar("T")

PATIENCE_SECONDS = 3.0
"""Who has not answered for so long is told to be silent; what it said before counts no more."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a neighbour said `at`; where nobody knows, `value` is None, and `problem` says why if it can."""

    value: T | None = None
    at: datetime | None = None
    problem: str = ""

    @property
    def is_awaited(self) -> bool:
        return self.value is None and not self.problem


class Asked(Generic[T]):
    """The latest answer to a question that is put at most every so many seconds, whoever looks."""

    def __init__(self, ask: Callable[[], T], every_seconds: float) -> None:
        self._ask, self._every = ask, every_seconds
        self._lock = threading.Lock()
        self._answer: Answer[T] = Answer()
        self._began = -every_seconds
        self._thread: threading.Thread | None = None

    def latest(self, wait_seconds: float = 0.0) -> Answer[T]:
        """The answer that is known; where there is none yet, wait a moment for it."""
        now = time.monotonic()
        with self._lock:
            if not self._is_under_way() and now - self._began >= self._every:
                self._began = now
                self._thread = threading.Thread(target=self._put, daemon=True)
                self._thread.start()
        if self._answer.is_awaited and self._thread and now - self._began < PATIENCE_SECONDS:
            self._thread.join(wait_seconds)
        silent_for = time.monotonic() - self._began
        if self._is_under_way() and silent_for >= PATIENCE_SECONDS and not self._answer.problem:
            return Answer(problem=f"it has not answered for {silent_for:.0f} seconds")
        return self._answer

    def _is_under_way(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _put(self) -> None:
        try:
            self._answer = Answer(self._ask(), timezone.now())
        except Exception as error:  # noqa: BLE001  whatever it is, the page tells it
            said = " ".join(str(error).split()) or type(error).__name__
            self._answer = Answer(at=timezone.now(), problem=said[:300])
