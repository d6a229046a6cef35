"""How messages write values, calls and places: on one line, shortened unless pytest runs `-vv`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.request import RequestInfo

WIDTH: Final = 86
"""Columns of a line, so that with pytest's margin, in a nested block too, it fits into 100."""

HEAD: Final = 69
"""Columns of the first line, after pytest's `AssertionError: assert `."""

LABEL: Final = 10
"""Columns of the word before each piece of evidence."""


class _Missing:
    """Stands for a value that one side does not have."""

    def __repr__(self) -> str:
        return "(nothing)"


MISSING: Final = _Missing()


def safe_repr(value: object) -> str:
    """Return `repr(value)` on one line, or a stand-in where it raises."""
    try:
        text = repr(value)
    except Exception as error:  # a foreign __repr__ may do anything
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return re.sub(r"\s*\n\s*", " ", text)


def cut(text: str, width: int) -> str:
    """Cut a text in the middle."""
    if len(text) <= width:
        return text
    half = max(1, (width - 3) // 2)
    return f"{text[:half]}...{text[-half:]}"


def labelled(label: str, text: str) -> str:
    """Write one piece of evidence."""
    return f"  {label:{LABEL}} {text}"


class Writer:
    """Writes values and calls for one verbosity of pytest."""

    def __init__(self, verbosity: int = 0) -> None:
        self.full: bool = verbosity >= 2

    def value(self, value: object, width: int = 60) -> str:
        """Write a value, cut in the middle unless everything is shown in full."""
        return self._fitted(safe_repr(value), width)

    def call(self, name: str, params: Mapping[str, Any], *, partial: bool = False) -> str:
        """Write a call on one line; long values give way first, then the last params."""
        texts = {key: safe_repr(value) for key, value in params.items()}
        room = WIDTH - LABEL - 8
        line = ""
        for width in range(60, 8, -2):
            parts = [f"{key}={self._fitted(text, width)}" for key, text in texts.items()]
            line = f"{name}({', '.join([*parts, '...'] if partial else parts)})"
            if self.full or len(line) <= room:
                return line
        return f"{line[: room - 5]} ...)"

    def _fitted(self, text: str, width: int) -> str:
        return text if self.full else cut(text, width)

    def pair(self, expected: object, found: object, width: int) -> tuple[str, str]:
        """Write two differing values, long ones around the first place where they differ."""
        one, other = safe_repr(expected), safe_repr(found)
        if one == other:
            return _distinguished(cut(one, width - 14), expected, found)
        if self.full or (len(one) <= width and len(other) <= width):
            return one, other
        pairs = zip(one, other, strict=False)
        alike = next((n for n, pair in enumerate(pairs) if len(set(pair)) > 1), width)
        start = max(0, alike - width // 3)
        return _window(one, start, width), _window(other, start, width)

    def place(self, task: ScheduledTask) -> list[str]:
        """Write where a task was scheduled, by which request, and how it ended."""
        site = "an unknown line"
        if task.site is not None:
            site = f"{relative(task.site.file)}:{task.site.line} in {task.site.function}"
        request = "outside of a request"
        if task.request is not None:
            request = str(task.request) if self.full else cut(str(task.request), 60)
        ended = "" if task.outcome == "succeeded" else self.outcome(task)
        return _joined(("at", site), ("request", request), ("outcome", ended))

    def outcome(self, task: ScheduledTask) -> str:
        """Write how a task ended, and why."""
        if task.error is not None:
            return f"{task.outcome}: {self.value(task.error, 70)}"
        return f"{task.outcome}: {task.reason}" if task.reason else task.outcome

    def names(self, tasks: Iterable[ScheduledTask]) -> str:
        """List tasks by name, with how often each occurs."""
        counted = Counter(task.name for task in tasks)
        text = ", ".join(
            name if count == 1 else f"{name} ({times(count)})" for name, count in counted.items()
        )
        room = WIDTH - 36
        if self.full or len(text) <= room:
            return text
        shown = text[: room - 5]
        return f"{shown.rpartition(', ')[0] or shown}, ..."


def _distinguished(text: str, expected: object, found: object) -> tuple[str, str]:
    if type(expected) is not type(found):
        return f"{text} ({type(expected).__name__})", f"{text} ({type(found).__name__})"
    return text, "another that prints the same"


def _window(text: str, start: int, width: int) -> str:
    before = "..." if start else ""
    room = width - len(before)
    if len(text) - start <= room:
        return before + text[start:]
    return f"{before}{text[start : start + room - 3]}..."


def _joined(*parts: tuple[str, str]) -> list[str]:
    """Write parts on one line where they fit, else each on its own with its label."""
    given = [(label, text) for label, text in parts if text]
    lines = [labelled(*given[0])]
    for label, text in given[1:]:
        if len(lines[-1]) + len(text) + 2 <= WIDTH:
            lines[-1] += f", {text}"
        else:
            lines.append(labelled(label, text))
    return lines


def answer(request: RequestInfo) -> str:
    """Write what the client got for a request."""
    status = str(request.response_status) if request.response_status else "no response"
    return f"{status}, {type(request.error).__name__}" if request.error else status


def relative(file: str) -> str:
    """Write a file relative to the working directory where it lies inside it."""
    try:
        short = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if short.split(os.sep)[0] == os.pardir else short


def tasks_were(count: int) -> str:
    """Write a number of tasks as the subject of a sentence."""
    return {0: "no task was", 1: "1 task was"}.get(count, f"{count} tasks were")


def times(count: int) -> str:
    """Write how often."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
