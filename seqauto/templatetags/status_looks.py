"""How the state of SeqAuto's own processes looks to people."""

from django import template

from seqauto.server_status import WorkerState

from .looks import State, compact_time

register = template.Library()


@register.filter
def worker_word(worker: WorkerState) -> State:
    """`alive`, `silent since 06:12`, `stopped 06:12`."""
    if worker.since is None or worker.word == "alive":
        return State(worker.word, worker.look)
    since = "since " if worker.word == "silent" else ""
    return State(f"{worker.word} {since}{compact_time(worker.since)}", worker.look)
