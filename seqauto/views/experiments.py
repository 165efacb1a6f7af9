"""The list of experiments."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from seqauto.filters import ExperimentFilter
from seqauto.models import Experiment
from seqauto.tables import ExperimentTable

from .last_runs import ListWithRuns

LIST = ListWithRuns("experiments", "experiment", Experiment, ExperimentFilter, ExperimentTable)


@require_safe
def experiments(request: HttpRequest) -> HttpResponse:
    return LIST.page(request)


@require_safe
def experiments_export(request: HttpRequest) -> StreamingHttpResponse:
    return LIST.export(request)
