"""What the lists of samples and files can be narrowed to; each filter is met by an index."""

from pathlib import PurePosixPath

from django.db.models import Q, QuerySet

from seqauto.models import SequencingFile, SequencingRun, SequencingSample
from seqauto.models.prefixes import starting_with
from seqauto.models.samples import HAS_ANOTHER_NAME, IS_MISSING, DataState
from sequencing.illumina.fastq_name import parse_fastq_name
from sequencing.kinds import FILE_TYPES

from .in_runs import InRuns
from .parts import choice, picked, text
from .projects import codes_like, project_code
from .runs import of_runs

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


class SampleFilter(InRuns):
    q = text("Sample", "ID or name begins with", method="search")
    project = project_code(method="by_project")
    files = choice("Files", [("missing", "some missing")], "any", method="by_files")
    kind = choice("Kind", [(key, label) for key, (label, _) in KINDS.items()], "any", method="by_kind")

    class Meta:
        model = SequencingSample
        fields = (
            "q", "project", "about", "instrument", "group", "files", "kind", "after", "before", "flag", "run",
        )  # fmt: skip

    def way_to_runs(self) -> tuple[str, bool]:
        return "run", bool(self.value("q"))

    def search(
        self, queryset: QuerySet[SequencingSample], _name: str, value: str
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(samples_named(value))

    def by_project(
        self, queryset: QuerySet[SequencingSample], _name: str, value: str
    ) -> QuerySet[SequencingSample]:
        return queryset.filter(project__in=codes_like(value))

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


class FileFilter(InRuns):
    q = text("Sample, file or path", "ID or /path begins with", method="search")
    state = choice(
        "State", [("missing", "Missing, for whatever reason"), *DataState.choices], "any", method="by_state"
    )
    type = choice("Type", [(kind.name, kind.label) for kind in FILE_TYPES.values()], "any", method="by_type")
    expected = choice(
        "Expected", [("yes", "expected"), ("no", "not expected")], "or not", method="by_expected"
    )
    project = project_code(method="by_project")
    sample = picked("Sample", SequencingSample.objects.all())

    class Meta:
        model = SequencingFile
        fields = (
            "q", "state", "type", "expected", "project", "about", "instrument", "group", "after", "before",
            "flag", "run", "sample",
        )  # fmt: skip

    def way_to_runs(self) -> tuple[str, bool]:
        """Files that are found by their samples are left out by these too, before they are read."""
        by_text = self.finds_by_sample()
        return ("sample__run" if by_text or self.value("project") else "run"), by_text

    def finds_by_sample(self) -> bool:
        """Whether the text is how a sample begins, rather than a path."""
        text = self.value("q")
        return bool(text) and not text.startswith("/")

    def finds_hidden(self) -> bool:
        return super().finds_hidden() or bool(self.value("sample")) or is_of_files(self.value("q"))

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
        return queryset.filter(sample__project__in=codes_like(value))


def is_of_files(words: str) -> bool:
    """Whether these are a path, or a FASTQ's name as a sample's files have it."""
    return words.startswith("/") or parse_fastq_name(PurePosixPath(words).name) is not None


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
