"""What each step of a delivery does. Each may be killed at any byte and begun again.

A step reads the run, writes beside its final place, proves what it wrote, and only then gives it its name. It
returns its figures, which are the evidence, or raises StepProblem.
"""

from collections.abc import Callable
from typing import Any

from ..delivery_rules import DeliveryRules
from ..delivery_work import Work
from ..models.deliveries import StepKind
from .back_up import back_up
from .convert import convert_run
from .submit import submit
from .upload import upload

STEPS: dict[str, Callable[[Work, DeliveryRules], dict[str, Any]]] = {
    StepKind.BACK_UP: back_up,
    StepKind.CONVERT: convert_run,
    StepKind.UPLOAD: upload,
    StepKind.SUBMIT: submit,
}
