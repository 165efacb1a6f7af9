"""Every state that pages show, in a sentence."""

from typing import Any

from seqauto.models.clean_up import RemovalState
from seqauto.models.deliveries import DeliveryState, StepState
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanStatus, Severity

_RUNS = {
    RunState.COMPLETE: "Every file that the sample sheet asks for is there.",
    RunState.INCOMPLETE: (
        "Files that the sample sheet asks for are not there; the run's page lists them first."
    ),
    RunState.RUNNING: "The instrument, or a converter, has not finished.",
    RunState.NOTHING_EXPECTED: "The sample sheet names no sample whose files should be here.",
    RunState.SKIPPED: "A marker or a setting says that scans pass this run over.",
    RunState.ERROR: "Something keeps the run from being judged; its messages say what, and the remedy.",
    RunState.DELETED: "The run folder was here and is gone.",
    RunState.NOT_SCANNED: "Its archive disk is not among those that are scanned any more.",
}

_FILES = {
    DataState.COMPLETE: "It is there.",
    DataState.NON_EXISTENT: "It should be there, and no scan has ever seen it.",
    DataState.DELETED: "It was there, and a scan found it gone.",
    DataState.RUNNING: "It is still being made.",
    DataState.SKIPPED: "It is not expected, on purpose: of a control, or of a run that is skipped.",
    DataState.ERROR: "It is there, and something is wrong with it.",
}

_SCANS = {
    ScanStatus.CREATED: "It waits for a worker, or for another scan to end.",
    ScanStatus.SCANNING_FILES: "It walks the archive disks and writes down what is there.",
    ScanStatus.CREATE_MODELS: "It compares what is there with what each run's sample sheet asks for.",
    ScanStatus.SCRIPTS_AND_JOBS: "It starts what follows a scan; off, unless a setting says otherwise.",
    ScanStatus.FINISHED: "It has done its work. Runs that could not be read have messages of their own.",
    ScanStatus.ERROR: "It could not do its work; its page says why, and no state was changed without a look.",
}

_DELIVERIES = {
    DeliveryState.SEQUENCING: "The instrument is still writing: not all of its markers are there.",
    DeliveryState.STALLED: "No new cycle has come for hours, and the run has not ended.",
    DeliveryState.SETTLING: (
        "All markers are there. Two equal listings are awaited, so that nothing comes late."
    ),
    DeliveryState.DELIVERING: "Its steps are being done, or wait for their turn.",
    DeliveryState.WAITING: "A step has failed and waits for a person, with its reason and a remedy.",
    DeliveryState.HELD: "A person holds it: no further step begins.",
    DeliveryState.DELIVERED: "All steps are done and proven.",
    DeliveryState.RUN_FAILED: "The instrument says that the run failed. It is never delivered by itself.",
    DeliveryState.CONFLICT: "Two folders say that they are the same run. A person must say which counts.",
    DeliveryState.UNRECOGNISED: "The folder is no run. It is shown, and left alone.",
    DeliveryState.GONE: "The folder was removed or moved before it was delivered.",
}

_STEPS = {
    StepState.WAITING: "The steps before it are not done.",
    StepState.QUEUED: "A worker takes it when one is free.",
    StepState.RUNNING: "A worker is at it.",
    StepState.DONE: "It is done, and its evidence stands beside it.",
    StepState.FAILED: "It could not be done; Retry tries again from where it was.",
}

_REMOVALS = {
    RemovalState.PROPOSED: "It waits for another person's approval, where a setting asks for one.",
    RemovalState.APPROVED: "It goes into quarantine at the next turn, if every gate is still open.",
    RemovalState.QUARANTINED: "It was set aside, and can be put back until its grace period ends.",
    RemovalState.REMOVING: "Its files are being removed.",
    RemovalState.REMOVED: "It is gone; the certificate says what it was and where it still exists.",
    RemovalState.PUT_BACK: "It stands where it stood before.",
    RemovalState.STOPPED: (
        "Something is not as it was when it was decided: nothing more is removed until a person has looked."
    ),
}

_MESSAGES = {
    Severity.ERROR: "Something cannot be known or done until a person mends it.",
    Severity.WARNING: "Something may be wrong, or will be.",
    Severity.INFO: "Something happened that people may want to know.",
}

STATES: dict[str, dict[Any, str]] = {
    "Runs": _RUNS,
    "Files": _FILES,
    "Scans": _SCANS,
    "Deliveries": _DELIVERIES,
    "Steps of a delivery": _STEPS,
    "Removals": _REMOVALS,
    "Messages": _MESSAGES,
}
