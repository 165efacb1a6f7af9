"""The list of sequencers: which runs they made, and which have fallen silent."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from seqauto.filters import SequencerFilter
from seqauto.models import Sequencer
from seqauto.tables import SequencerTable

from .last_runs import ListWithRuns

LIST = ListWithRuns("sequencers", "sequencer", Sequencer, SequencerFilter, SequencerTable)


@require_safe
def sequencers(request: HttpRequest) -> HttpResponse:
    return LIST.page(request)


@require_safe
def sequencers_export(request: HttpRequest) -> StreamingHttpResponse:
    return LIST.export(request)
