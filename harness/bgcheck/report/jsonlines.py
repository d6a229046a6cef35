"""The `--bgcheck-json` file: a header, findings, tasks, and a footer once it is complete."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TextIO

from bgcheck import __version__
from bgcheck.report.results import write_line
from bgcheck.report.stack import resolved_stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bgcheck.report.baseline import Ran
    from bgcheck.report.findings import Findings, Line


class FindingsFile:
    """Writes each line as soon as it is known, so that a crash loses nothing.

    Until the end, a finding has one line for each test that shows it. The finished file has one
    line for each fault, with its `count` and `tests`, and a footer.

    Args:
        path: the file, or None to write nothing.
        argv: the arguments that pytest was called with.
    """

    def __init__(self, path: Path | None, argv: Sequence[object]) -> None:
        self.path = path
        self._header: dict[str, Any] = {"version": __version__, "argv": [str(arg) for arg in argv]}
        self._tasks: list[Line] = []
        self._stream: TextIO | None = None

    def begin(self) -> None:
        """Write the header."""
        if self.path is not None:
            self._header["stack"] = resolved_stack()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("w", encoding="utf-8")
            write_line(self._stream, "header", self._header)

    def add(self, payload: dict[str, Any]) -> None:
        """Write the results of one phase of a test."""
        if self._stream is None:
            return
        for line in payload.get("findings", ()):
            write_line(self._stream, "finding", line)
        for line in payload.get("tasks", ()):
            write_line(self._stream, "task", line)
            self._tasks.append(line)

    def finish(self, findings: Findings, ran: Ran, coverage: Sequence[Line] = ()) -> None:
        """Replace the file by the merged one with a footer.

        Args:
            findings: all of the session.
            ran: which tests ran.
            coverage: the task coverage.
        """
        if self._stream is None or self.path is None:
            return
        self._stream.close()
        self._stream = None
        merged = self.path.with_name(f"{self.path.name}.part")
        with merged.open("w", encoding="utf-8") as stream:
            write_line(stream, "header", self._header)
            for line in findings.merged:
                write_line(stream, "finding", line)
            for line in self._tasks:
                write_line(stream, "task", line)
            for line in coverage:
                write_line(stream, "coverage", line)
            write_line(stream, "footer", _footer(findings, len(self._tasks), ran))
        os.replace(merged, self.path)


def _footer(findings: Findings, tasks: int, ran: Ran) -> dict[str, Any]:
    return {
        "complete": findings.complete and not findings.errors,
        "findings": len(findings.merged),
        "tasks": tasks,
        "levels": dict(findings.levels()),
        "quiet": findings.quiet,
        "errors": findings.errors,
        "tests": ran.as_data(),
    }
