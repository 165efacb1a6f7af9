"""Trends: charts of months of scans, runs, disks and deliveries, each also as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from seqauto import trends as story
from seqauto.templatetags.looks import printable, thousands

KINDS = {"kit": "kit", "model": "instrument"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with what it says in a sentence, and the sentence for when there is nothing to draw yet."""

    chart: story.Chart
    said: str
    empty: str

    @property
    def drawing(self) -> dict[str, Any]:
        """For the script that draws; names come from disks."""
        series = [
            {
                "name": printable(one.name),
                "values": one.values,
                "unit": one.unit,
                "line": one.is_line,
                "guess": one.is_guess,
            }
            for one in self.chart.series
        ]
        return {"labels": self.chart.labels, "series": series}


@require_safe
def trends(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    today = timezone.localdate(now)
    months = story.runs_by_month(today)
    by = request.GET.get("by", "")
    kind = by if by in KINDS else "kit"
    runs_here = "Runs will stand here once the archive was scanned."
    figures = [
        Figure(story.completeness(months, today), _found(months), runs_here),
        Figure(story.runs(months, today, kind, "runs"), _of_months(months, "runs"), runs_here),
        Figure(story.runs(months, today, kind, "samples"), _of_months(months, "samples"), runs_here),
        Figure(
            story.turnaround(now),
            "Median hours a step of the runs delivered in each week; the line is from the instrument's last "
            "marker to the last upload.",
            "Deliveries of the last half year will stand here.",
        ),
        Figure(
            story.disks(now),
            "How full each disk was, and how full it becomes if the last four weeks go on.",
            "The disks of deliveries are read every quarter of an hour, and will stand here.",
        ),
        Figure(
            story.scans(),
            "What the last scans took, stage by stage, and how many files they saw.",
            "Finished scans will stand here.",
        ),
    ]
    context = {"figures": figures, "kind": kind, "kinds": KINDS, "by_kind": ("runs", "samples")}
    return render(request, "trends/list.html", context)


def _found(months: list[story.MonthOfKind]) -> str:
    expected = sum(row.expected for row in months)
    found = sum(row.found for row in months)
    if not expected:
        return "No FASTQ is expected of the runs of two years."
    return f"{thousands(found)} of {thousands(expected)} FASTQs of the runs of two years are there."


def _of_months(months: list[story.MonthOfKind], what: str) -> str:
    return f"{thousands(sum(getattr(row, what) for row in months))} {what} in two years."
