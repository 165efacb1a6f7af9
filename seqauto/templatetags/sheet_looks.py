"""How a checked sample sheet looks: its rows with a sign at every cell that has a problem."""

import re
from collections.abc import Iterable, Sequence

from django import template
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from seqauto.templatetags.looks import SIGNS, State, printable
from sequencing.checking import Finding, MarkedRow, MarkedSection

register = template.Library()

#: Look and word of each level of `Finding`.
LEVELS = {"error": ("bad", "Error"), "refused": ("bad", "Refused"), "warning": ("warn", "Warning")}

# Those of 0x80 to 0x9f are not among them: browsers read such references as letters of Windows.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@register.filter
def level_state(finding: Finding) -> State:
    look, word = LEVELS[finding.level]
    return State(word, look, f"by {' and '.join(finding.refused_by)}" if finding.level == "refused" else "")


@register.filter
def kept_text(text: str) -> SafeString:
    r"""Text in a textarea, where it must stay as it is: control characters become references (&#x1b;)."""
    escaped = conditional_escape(text)
    return mark_safe(_CONTROL.sub(lambda match: f"&#x{ord(match[0]):x};", escaped))  # noqa: S308


@register.simple_tag
def marks(findings: Sequence[Finding], numbers: Iterable[int]) -> SafeString:
    """A sign for each of these findings, which leads back to it in the list."""
    return format_html_join(
        "",
        '<a class="cell-sign {}" href="#problem-{}" title="{}"><i class="bi bi-{}" aria-hidden="true"></i>'
        '<span class="visually-hidden">Problem {}, {}: {}</span></a>',
        (_mark(findings[number], number + 1) for number in numbers),
    )


def _mark(finding: Finding, number: int) -> tuple[object, ...]:
    look, word = LEVELS[finding.level]
    message = printable(finding.problem.message)
    return look, number, f"{word}: {message}", SIGNS[look], number, word.lower(), message


@register.simple_tag
def marked_rows(findings: Sequence[Finding], section: MarkedSection) -> SafeString:
    """The body of a section's table. Cells without a problem, nearly all, are written without ado."""
    return mark_safe("".join(_row(findings, row) for row in section.rows if not row.is_header))  # noqa: S308


def _row(findings: Sequence[Finding], row: MarkedRow) -> str:
    gap = _gap(row.left_out) if row.left_out else ""
    if not row.number:
        return gap
    cells = "".join(
        f"<td>{conditional_escape(text)}</td>"
        if place not in row.marks
        else _marked_cell(findings, row, place, text)
        for place, text in enumerate(row.cells)
    )
    return f"{gap}<tr>{row_number(findings, row)}{cells}</tr>\n"


def _gap(count: int) -> str:
    rows = "row without a problem is" if count == 1 else "rows without a problem are"
    return f'<tr class="gap"><td colspan="60">… {count:,} {rows} not shown</td></tr>\n'


def _marked_cell(findings: Sequence[Finding], row: MarkedRow, place: int, text: str) -> str:
    return format_html(
        '<td id="cell-{}-{}" class="{}">{}{}</td>',
        row.number,
        place,
        _worst(findings, row.marks[place]),
        marks(findings, row.marks[place]),
        text,
    )


@register.simple_tag
def row_number(findings: Sequence[Finding], row: MarkedRow) -> SafeString:
    """The number of a row, with what is wrong with it as a whole."""
    numbers = row.marks.get(-1, ())
    return format_html(
        '<th scope="row" id="row-{}" class="{}">{}{}</th>',
        row.number,
        _worst(findings, [number for of_place in row.marks.values() for number in of_place]),
        marks(findings, numbers),
        row.number,
    )


@register.simple_tag
def column_heads(findings: Sequence[Finding], row: MarkedRow) -> SafeString:
    """The cells of the row that names the columns."""
    return format_html_join(
        "",
        '<th scope="col" id="cell-{}-{}" class="{}">{}{}</th>',
        (
            (
                row.number,
                place,
                _worst(findings, row.marks.get(place, ())),
                marks(findings, row.marks.get(place, ())),
                text,
            )
            for place, text in enumerate(row.cells)
        ),
    )


def _worst(findings: Sequence[Finding], numbers: Sequence[int]) -> str:
    return LEVELS[findings[min(numbers)].level][0] if numbers else ""  # the worst stand first
