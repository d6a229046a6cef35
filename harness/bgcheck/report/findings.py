"""All findings of a session, one for each code, place and task function, and the tasks seen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Line = dict[str, Any]
"""A finding or a task as the JSON lines file has it."""


class Findings:
    """Merges what the tests of a session found, in any number of processes.

    Attributes:
        merged: one line for each fault, with `count` and `tests`.
        tasks: how many tasks were settled.
        quiet: reasons why checks stayed quiet, by code.
        errors: errors of bgcheck itself.
        complete: no process was lost.
    """

    def __init__(self) -> None:
        self._merged: dict[tuple[object, ...], Line] = {}
        self.tasks: int = 0
        self.quiet: dict[str, str] = {}
        self.errors: list[str] = []
        self.complete = True

    @property
    def merged(self) -> list[Line]:
        """The faults, by file and line, then code."""
        return sorted(self._merged.values(), key=_order)

    def add(self, payload: dict[str, Any]) -> None:
        """Take the results of one phase of a test, or of the end of one process."""
        for line in payload.get("findings", ()):
            self._merge(line)
        self.tasks += len(payload.get("tasks", ()))
        self.quiet.update(payload.get("quiet", {}))
        self.errors += [error for error in payload.get("errors", ()) if error not in self.errors]

    def _merge(self, line: Line) -> None:
        known = self._merged.get(identity(line))
        if known is None:
            tests = [line["test"]] if line["test"] else []
            self._merged[identity(line)] = {**line, "tests": line.get("tests", tests)}
            return
        known["count"] += line["count"]
        if line["test"] and line["test"] not in known["tests"]:
            known["tests"].append(line["test"])

    def levels(self) -> Counter[str]:
        """Count the faults by level."""
        return Counter(line["level"] for line in self._merged.values())


def identity(line: Line) -> tuple[object, ...]:
    """Return what makes two findings the same fault: code, place and task function.

    Without a place it is the request's route, and the sentence.
    """
    site = line["site"]
    if site is not None:
        return line["code"], site["file"], site["line"], line["func"]
    request = line["request"] or {}
    return line["code"], request.get("method"), request.get("route"), line["func"], line["message"]


def _order(line: Line) -> tuple[str, int, str]:
    site = line["site"] or {"file": "", "line": 0}
    return site["file"], site["line"], line["code"]


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 finding`, `2 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def failing(lines: Iterable[Line]) -> list[Line]:
    """Return the lines that fail in strict mode."""
    return [line for line in lines if line["fails"]]
