"""XML of instruments, read without trust: no DTD, no entities, bounded in size before anything is parsed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from .errors import FormatError, Problem, shown
from .safe_names import hostile_reason

LARGEST_XML = 4 * 1024 * 1024
MOST_TAGS = 200_000


def parse_xml(data: bytes, error: type[FormatError]) -> ET.Element:
    """Return the root element; raise the given error where the bytes are no XML that an instrument writes."""
    if len(data) > LARGEST_XML or data.count(b"<") > MOST_TAGS:
        raise too_large(data, error)
    if not data.strip(b" \t\r\n\0"):
        raise error(Problem("error", "empty_file", "The file is empty", "Copy it from the run folder again."))
    parser = XMLParser(target=ET.TreeBuilder(), forbid_dtd=True)
    try:
        parser.feed(data)
        root: ET.Element = parser.close()
        return root
    except ET.ParseError as caught:
        row, position = caught.position
        message = f"The file is not well-formed XML at character {position + 1} ({shown(str(caught))})"
        remedy = "It may have been cut short: copy it from the run folder again."
        raise error(Problem("error", "not_xml", message, remedy, row, text=_line(data, row))) from caught
    except DefusedXmlException as caught:
        message = "The file declares a document type or entities, which no instrument writes"
        remedy = "Do not use this file; find out who put it there."
        raise error(Problem("error", "forbidden_xml", message, remedy, text=shown(str(caught)))) from caught
    except (LookupError, UnicodeError, ValueError) as caught:
        message = "The text encoding that the file declares cannot be read"
        remedy = "Copy it from the run folder again."
        raise error(Problem("error", "encoding", message, remedy, 1, text=_line(data, 1))) from caught


def too_large(data: bytes, error: type[FormatError]) -> FormatError:
    """Return the error of a file that is too large to be looked at."""
    message = f"The file is too large for what it should be ({len(data):,} bytes)"
    return error(Problem("error", "too_large", message, "Check that it is the right file."))


def hostile_fields(fields: Mapping[str, str], remedy: str) -> list[Problem]:
    """Return an error for each field whose text must not become a path, key or argument."""
    return [
        Problem("error", "hostile_name", f"The text {reason}", remedy, column=name, text=shown(text))
        for name, text in fields.items()
        if (reason := hostile_reason(text))
    ]


def local_name(tag: str) -> str:
    """Return the name of an element without its namespace."""
    return tag.rpartition("}")[2]


def _line(data: bytes, row: int) -> str:
    lines = data.split(b"\n", row)
    return shown(lines[row - 1][:400].decode("utf-8", "replace").strip()) if row <= len(lines) else ""
