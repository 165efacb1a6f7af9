"""What one search box finds: runs, samples, projects, files, sequencers and deliveries, by what people type.

People type a part of a run's name, a flow cell, an experiment, a kit, an instrument's model or serial number,
the beginning of a sample's name, a project; or they paste a FASTQ's name or a path from a terminal. Nothing
here reads through all files or all samples. What a text means is said by the filters of the lists, so that
box and lists find the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from sequencing.illumina.fastq_name import parse_fastq_name

from .filters.runs import runs_about, runs_named, sequencers_about
from .filters.samples import samples_named
from .models import Delivery, Sequencer, SequencingFile, SequencingRun, SequencingSample
from .models.distinct import distinct_texts
from .models.prefixes import Folded, starting_with
from .models.samples import HAS_ANOTHER_NAME, IS_WANTED, DataState

LONGEST = 1_500
"""Characters; no path is longer."""
MOST = 11
"""Of each kind: ten to show, and one to know whether there are others."""


@dataclass(frozen=True, slots=True)
class Found:
    """What fits `text`. A run tells of its delivery itself: `deliveries` are those of no run among `runs`.

    `folder` is the run whose folder a pasted path leads into.
    """

    text: str
    runs: list[SequencingRun] = field(default_factory=list)
    samples: list[SequencingSample] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    files: list[SequencingFile] = field(default_factory=list)
    sequencers: list[Sequencer] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    folder: SequencingRun | None = None

    @property
    def is_lost_in_folder(self) -> bool:
        """Whether a path leads into a run that has no such file."""
        return self.folder is not None and not self.files


def find(typed: str) -> Found:
    """Look everywhere for what somebody typed, in at most eight queries."""
    text = as_meant(typed)
    if not text:
        return Found(text)
    return _find_path(text) if text.startswith("/") else _find_words(text)


def as_meant(typed: str) -> str:
    """What was typed or pasted, without the quotes of a shell and a folder's last slash."""
    text = typed.replace("\0", "").strip()[:LONGEST]  # PostgreSQL takes no NUL
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text.rstrip("/") or text[:1]


def _find_words(text: str) -> Found:
    runs = SequencingRun.objects.filter(runs_about(text))
    return Found(
        text,
        runs=list(_for_people(runs, _named_first(text))[:MOST]),
        samples=samples_starting_with(text)[:MOST],
        projects=projects_with(text)[:MOST],
        files=list(files_named(text)[:MOST]),
        sequencers=list(Sequencer.objects.filter(sequencers_about(text))[:MOST]),
        deliveries=list(_besides(runs, deliveries_with(text))[:MOST]),
    )


def _find_path(path: str) -> Found:
    """What a path names: a run's folder or the beginning of some, or what lies in one."""
    runs = SequencingRun.objects.filter(runs_about(path))
    shown = list(_for_people(runs)[:MOST])
    folder = next((run for run in shown if path.startswith(f"{run.path}/")), None)
    files = files_in(folder, path) if folder else files_named(path.rpartition("/")[2])
    return Found(
        path,
        runs=[folder] if folder else shown,
        files=list(files[:MOST]),
        deliveries=list(_besides(runs, deliveries_at(path))[:MOST]),
        folder=folder,
    )


# ---- each kind ----


def samples_starting_with(text: str) -> list[SequencingSample]:
    """The first samples whose id begins so, of one id the newest first; then those by their other names.

    Two queries: a database that is asked for either at once sorts all that fit, which may be nearly all.
    """
    samples = _with_files(SequencingSample.objects.all())
    by_id = samples.filter(starting_with("sample_id", text)).order_by(Folded("sample_id"), "-pk")
    by_name = samples.filter(HAS_ANOTHER_NAME, starting_with("sample_name", text))
    return [*by_id[:MOST], *by_name.order_by(Folded("sample_name"), "-pk")[:MOST]]


def projects_with(text: str) -> list[str]:
    """Projects that hold `text`; those that begin with it first."""
    folded = text.casefold()
    known = distinct_texts(SequencingSample, "project")
    found = [name for name in known if folded in name.casefold()]
    return sorted(found, key=lambda name: (not name.casefold().startswith(folded), name.casefold()))


def files_named(name: str) -> QuerySet[SequencingFile]:
    """FASTQs of that name in all runs, by the sample that stands in it; nothing where it is no FASTQ's."""
    fastq = parse_fastq_name(PurePosixPath(name).name)
    if fastq is None:
        return SequencingFile.objects.none()
    samples = SequencingSample.objects.order_by().filter(samples_named(fastq.sample))
    files = SequencingFile.objects.filter(sample__in=samples.values("pk"), path__endswith=name)
    return _newest_run_first(files)


def files_in(run: SequencingRun, path: str) -> QuerySet[SequencingFile]:
    """Files of a run whose full path begins so."""
    inside = path.removeprefix(f"{run.path}/")
    return _newest_run_first(SequencingFile.objects.filter(run=run, path__startswith=inside))


def deliveries_with(text: str) -> QuerySet[Delivery]:
    return Delivery.objects.filter(Q(name__icontains=text) | Q(flowcell__icontains=text))


def deliveries_at(path: str) -> QuerySet[Delivery]:
    folders = [path, *map(str, PurePosixPath(path).parents)]
    return Delivery.objects.filter(Q(path__in=folders) | Q(path__startswith=path))


# ---- as people want to see them ----


def _named_first(text: str) -> Case:
    """Runs that are called so stand before those of a kit or an instrument that is, which may be many."""
    return Case(When(runs_named(text), then=Value(0)), default=Value(1))


def _for_people(runs: QuerySet[SequencingRun], *before: Case) -> QuerySet[SequencingRun]:
    """Newest first and hidden ones last, each with the delivery by which it came."""
    hidden_last = Case(When(is_hidden=True, then=Value(1)), default=Value(0))
    delivery = Delivery.objects.filter(identity=OuterRef("identity")).values("pk")
    runs = runs.select_related("experiment", "sequencer").annotate(delivery=Subquery(delivery[:1]))
    return runs.order_by(*before, hidden_last, F("date").desc(nulls_last=True), "-name")


def _with_files(samples: QuerySet[SequencingSample]) -> QuerySet[SequencingSample]:
    """Each with its run, and how many of its expected files are there, counted as the list counts them."""
    expected = SequencingFile.objects.filter(IS_WANTED, sample=OuterRef("pk")).order_by()
    found = expected.filter(data_state=DataState.COMPLETE)
    return samples.select_related("run__experiment").annotate(
        files_expected=_count(expected), files_found=_count(found)
    )


def _count(files: QuerySet[SequencingFile]) -> Coalesce:
    counted = files.values("sample").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


def _newest_run_first(files: QuerySet[SequencingFile]) -> QuerySet[SequencingFile]:
    return files.select_related("run__experiment").order_by("-run_id", "path")


def _besides(runs: QuerySet[SequencingRun], deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Deliveries of runs that are not found themselves."""
    return deliveries.filter(~Exists(runs.filter(identity=OuterRef("identity"))))
