"""What all steps need: the lab's folders, and problems told as a step tells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sequencing.converters import ConversionProblem
from sequencing.copying import CopyProblem
from sequencing.disk import SENTINEL, DiskError
from sequencing.s3 import UploadProblem

from ..delivery_work import StepBusy, StepInterrupted, StepProblem
from ..models import DeliveryStep
from ..models.deliveries import StepState


def lab_folder(folder: Path | None, what: str, setting: str) -> Path:
    """A folder that a lab has named and that is there: one that is not may be an unmounted disk."""
    if folder is None:
        raise StepProblem("no_folder", f"No {what} is named.", f"Set {setting}, then retry.")
    if not folder.is_dir():
        raise StepProblem(
            "no_folder",
            f"The {what} {folder} is not there.",
            "Mount its disk or make the folder, then retry.",
        )
    if _lost_all_of(folder):
        raise StepProblem(
            "no_folder",
            f"The {what} {folder} is empty, although runs were put there before.",
            f"Mount its disk, then retry. If it is meant to be empty, put an empty file {SENTINEL} there.",
        )
    return folder


def _lost_all_of(folder: Path) -> bool:
    """Whether this looks like the bare mount point of a disk that is away."""
    if any(folder.iterdir()):
        return False
    below = DeliveryStep.objects.filter(state=StepState.DONE, figures__folder__startswith=f"{folder}/")
    return below.exists()


@contextmanager
def step_problems() -> Iterator[None]:
    """What copying and uploading refuse, and what disks do, becomes a problem of the step."""
    try:
        yield
    except (CopyProblem, UploadProblem) as problem:
        raise step_problem(problem) from problem
    except (DiskError, OSError) as error:
        raise StepProblem("io_error", f"A disk failed: {error}.", _LOOK_AT_THE_DISK) from error


_LOOK_AT_THE_DISK = "See whether it is mounted, full or closed to the account that runs SeqAuto, then retry."


def step_problem(problem: CopyProblem | UploadProblem | ConversionProblem, log: str = "") -> Exception:
    if problem.code == "stopped":
        return StepInterrupted(problem.sentence)
    if problem.code == "busy":
        return StepBusy(problem.sentence)
    return StepProblem(problem.code, problem.sentence, problem.remedy, log=log)
