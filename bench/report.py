"""One line a measurement: what, how much, what it should be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A figure. `target` is its upper bound, or its lower one where `more_is_better`; None: only told."""

    what: str
    value: float
    unit: str
    target: float | None
    detail: str = ""
    more_is_better: bool = False

    def write(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Line:
        return cls(**json.loads(text))

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        is_met = self.value >= self.target if self.more_is_better else self.value <= self.target
        sign = "≥" if self.more_is_better else "≤"
        return f"target {sign} {_number(self.target)} {self.unit}: {'met' if is_met else 'MISSED'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def show(title: str, lines: list[Line]) -> None:
    print(f"\n{title}")
    for line in lines:
        print(f"  {line.what:<48} {_number(line.value):>9} {line.unit:<9} {line.verdict:<34} {line.detail}")
