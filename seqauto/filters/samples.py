"""What the lists of samples and files can be narrowed to; each filter is met by an index."""

from datetime import date
from pathlib import PurePosixPath

from django.db.models import Q, QuerySet

from seqauto.models import SequencingFile, SequencingRun, SequencingSample
from seqauto.models.prefixes import starting_with
from seqauto.models.samples import HAS_ANOTHER_NAME, IS_MISSING, DataState
from sequencing.illumina.fastq_name import parse_fastq_name
from sequencing.kinds import FILE_TYPES

from .parts import Chips, choice, day, picked, text
from .runs import of_runs, runs_about

IS_COMPLETE = Q(data_state=DataState.COMPLETE)

#: Of samples that go by another name, so many are found by it; most labs have none.
MOST_BY_NAME = 1000


def samples_named(words: str, sample: str = "") -> Q:
    """Samples whose id or other name begins with these words, in upper or lower case; `sample` is how a row
    calls its sample.

    Those of another name are asked for first: databases find no way to search for either at once.
    """
    by_name = SequencingSample.objects.order_by().filter(
        HAS_ANOTHER_NAME, starting_with("sample_name", words)
    )
    pks = list(by_name.values_list("pk", flat=True)[:MOST_BY_NAME])
    by_id = starting_with(f"{sample}sample_id", words)
    return by_id | Q(**{f"{sample}pk__in": pks}) if pks else by_id


KINDS = {
    "sample": ("samples", Q(is_control=False)),
    "control": ("controls", Q(is_control=True)),
    "failed": ("failed", Q(is_failed=True)),
}


class SampleFilter(Chips):
    q = text("Sample", "ID or name begins with", method="search")
    project = text("Project", "Code")
    about = text("Run", "Run, flow cell, experiment", method="by_run")
    files = choice("Files", [("missing", "some missing")], "any", method="by_files")
    kind = choice("Kind", [(key, label) for key, (label, _) in KINDS.items()], "any", method="by_kind")
    after = day("From", method="since")
    before = day("To", method="until")
    run = picked("Run", SequencingRun.objects.all())

    class Meta:
        model = SequencingSample
        fields: list[str] = []

    def search(
        self, queryset: QuerySet[SequencingSample], _name: str, value: str
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(samples_named(value))

    def by_run(
        self, queryset: QuerySet[SequencingSample], _name: str, value: str
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(of_runs(runs_about(value)))

    def since(
        self, queryset: QuerySet[SequencingSample], _name: str, value: date
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(of_runs(Q(date__gte=value)))

    def until(
        self, queryset: QuerySet[SequencingSample], _name: str, value: date
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(of_runs(Q(date__lte=value)))

    def by_files(
        self, queryset: QuerySet[SequencingSample], _name: str, _value: str
    ) -> QuerySet[SequencingSample]:
        missing = SequencingFile.objects.order_by().filter(IS_MISSING)
        return queryset.filter(pk__in=missing.values("sample"))

    def by_kind(
        self, queryset: QuerySet[SequencingSample], _name: str, value: str
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(KINDS[value][1])


def common(field: str, value: str) -> Q:
    """Rows of a value that most have. SQLite takes few rows to equal anything, and would sort them all."""
    return Q(**{f"{field}__gte": value, f"{field}__lte": value})


class FileFilter(Chips):
    q = text("Sample, file or path", "ID begins with; /path begins with", method="search")
    state = choice(
        "State", [("missing", "Missing, for whatever reason"), *DataState.choices], "any", method="by_state"
    )
    type = choice("Type", [(kind.name, kind.label) for kind in FILE_TYPES.values()], "any", method="by_type")
    expected = choice(
        "Expected", [("yes", "expected"), ("no", "not expected")], "or not", method="by_expected"
    )
    project = text("Project", "Code", method="by_project")
    about = text("Run", "Run, flow cell, experiment", method="by_run")
    run = picked("Run", SequencingRun.objects.all())
    sample = picked("Sample", SequencingSample.objects.all())

    class Meta:
        model = SequencingFile
        fields: list[str] = []

    def search(self, queryset: QuerySet[SequencingFile], _name: str, value: str) -> QuerySet[SequencingFile]:
        return queryset.filter(by_path(value) if value.startswith("/") else by_sample(value))

    def by_state(
        self, queryset: QuerySet[SequencingFile], _name: str, value: str
    ) -> QuerySet[SequencingFile]:
        if value == "missing":
            return queryset.filter(IS_MISSING)
        if value == DataState.COMPLETE:
            return queryset.filter(common("data_state", value))
        return queryset.filter(~IS_COMPLETE, data_state=value)

    def by_type(self, queryset: QuerySet[SequencingFile], _name: str, value: str) -> QuerySet[SequencingFile]:
        return queryset.filter(common("file_type", value))

    def by_expected(
        self, queryset: QuerySet[SequencingFile], _name: str, value: str
    ) -> QuerySet[SequencingFile]:
        return queryset.filter(is_expected=value == "yes")

    def by_project(
        self, queryset: QuerySet[SequencingFile], _name: str, value: str
    ) -> QuerySet[SequencingFile]:
        return queryset.filter(sample__project=value)

    def by_run(self, queryset: QuerySet[SequencingFile], _name: str, value: str) -> QuerySet[SequencingFile]:
        return queryset.filter(of_runs(runs_about(value)))


def by_path(path: str) -> Q:
    """Files whose full path begins so: some of the run that it leads into, else all of the runs below it."""
    path = path.rstrip("/") or "/"
    folders = [str(folder) for folder in PurePosixPath(path).parents]
    if run := SequencingRun.objects.filter(path__in=folders).first():
        return Q(run=run, path__startswith=path.removeprefix(f"{run.path}/"))
    return of_runs(Q(path__startswith=path))


def by_sample(words: str) -> Q:
    """Files of the samples so named; of a FASTQ's name, with or without folders, that very file."""
    name = PurePosixPath(words).name
    fastq = parse_fastq_name(name)
    files = samples_named(fastq.sample if fastq else name, "sample__")
    return files & Q(path__iendswith=words) if fastq else files
