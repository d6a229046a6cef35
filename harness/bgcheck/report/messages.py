"""Findings in words: the fact, the evidence, the way out, and where to read more."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from bgcheck.recorder.describe import labelled
from bgcheck.report.findings import Line, counted

if TYPE_CHECKING:
    from collections.abc import Sequence


WIDTH = 96
"""Columns of a line of evidence."""


def failure(lines: Sequence[Line]) -> str:
    """Write the findings that fail a test."""
    head = f"bgcheck: {counted(len(lines), 'finding')} in this test"
    return "\n\n".join([head, *map(_block, lines)])


def _block(line: Line) -> str:
    return "\n".join([headline(line), *details(line)])


def headline(line: Line) -> str:
    """Write the fact on one line: code, name, sentence."""
    return f"{line['code']} {line['name']}: {line['message']}"


def details(line: Line) -> list[str]:
    """Write the evidence and the way out, one line each."""
    found = []
    if line["task"]:
        found.append(labelled("task", line["task"]))
    if line["site"]:
        found.append(labelled("scheduled", f"{place(line)} in {line['site']['function']}"))
    if line["request"]:
        request = line["request"]
        found.append(labelled("request", f"{request['method']} {request['path']}"))
    found += [labelled(label, text) for label, text in line["evidence"]]
    found += _wrapped("way out", line["way_out"])
    found.append(labelled("more", f"bgcheck explain {line['code']}"))
    return found


def _wrapped(label: str, text: str) -> list[str]:
    first = labelled(label, "")
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def place(line: Line) -> str:
    """Write where a finding stands: `app/main.py:31`."""
    site = line["site"]
    return "no schedule site" if site is None else f"{site['file']}:{site['line']}"


def shown_by(line: Line) -> str:
    """Write which tests show a finding, shortly."""
    tests = line["tests"]
    if not tests:
        return "outside of any test"
    more = f" and {counted(len(tests) - 1, 'more test')}" if len(tests) > 1 else ""
    return f"{tests[0]}{more}"
