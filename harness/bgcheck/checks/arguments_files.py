"""BG3, continued: files that are closed, or at their end, when a task gets to them."""

from __future__ import annotations

import ast
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.arguments_live import function_of, has_objects, reachable
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.source import called_name, function_at
from bgcheck.recorder.files import is_at_end, is_file, is_spooled
from bgcheck.recorder.record import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import FileUsed, TaskFinished, TaskSettled, TaskStarted
    from bgcheck.recorder.record import ScheduledTask


def files_of(task: ScheduledTask) -> Iterator[tuple[str, Any]]:
    """Yield the files that a task has: arguments, what they hold, and captured variables."""
    for path, value in reachable(task):
        yield from _files(path, value)


def _files(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_file(value):
        yield path, value
    elif any(base.__name__ == "UploadFile" for base in type(value).__mro__):
        inner = getattr(value, "file", None)
        if is_file(inner):
            yield path, inner


class ClosedFile(Check):
    """A file was closed before the task got to it."""

    code = "BG306"
    name = "closed-file"
    default: ClassVar[Default] = "E"
    summary = "An upload or file was closed before the task read it."
    way_out = "Read the content in the endpoint and pass it, or copy the file to one of the task's."
    instruments: ClassVar[tuple[str, ...]] = ("files",)

    def __init__(self) -> None:
        self._closed: weakref.WeakKeyDictionary[ScheduledTask, list[str]] = (
            weakref.WeakKeyDictionary()
        )
        self._told: weakref.WeakSet[ScheduledTask] = weakref.WeakSet()

    def on_task_started(self, event: TaskStarted) -> None:
        """Note which files are closed already."""
        closed = [path for path, file in files_of(event.task) if file.closed]
        if closed:
            self._closed[event.task] = closed

    def on_file_used(self, event: FileUsed) -> Iterator[Finding]:
        """Tell what the task tries to do with a closed one."""
        if event.state == "closed" and event.task not in self._told:
            self._told.add(event.task)
            yield self._tell(event.task, [(f"{event.use} called", event.site or "by a library")])

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look for the error that a file written in C raises."""
        task = event.task
        if event.error is None or not self._closed:
            return
        if task in self._told or task not in self._closed or not _says_closed(event.error):
            return
        site = task.failure.site if task.failure is not None else None
        yield self._tell(task, [("failed", site or "in a library")])

    def _tell(self, task: ScheduledTask, evidence: list[tuple[str, str | Site]]) -> Finding:
        path = next(iter(self._closed.get(task, ())), "a file")
        return self.found(
            f"{task.name} uses {path}, which was closed before the task started.",
            evidence,
            task=task,
            covers=[task],
        )


def _says_closed(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, says that a file is closed."""
    while error is not None:
        if isinstance(error, ValueError) and "closed file" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


class ExhaustedFile(Check):
    """A file was at its end when the task read it."""

    code = "BG307"
    name = "exhausted-file"
    default: ClassVar[Default] = "E"
    summary = "An upload or file was at its end when the task read it."
    way_out = "Rewind it before the task reads, with seek(0), or pass the content."
    instruments: ClassVar[tuple[str, ...]] = ("files",)

    def __init__(self) -> None:
        self._suspects: weakref.WeakKeyDictionary[ScheduledTask, list[_Suspect]] = (
            weakref.WeakKeyDictionary()
        )

    def on_file_used(self, event: FileUsed) -> Iterator[Finding]:
        """Tell of the first read of a task that gets nothing."""
        if event.state == "at its end":
            yield self.found(
                f"{event.task.name} reads a file that is at its end: it gets nothing.",
                [(f"{event.use} called", event.site or "by a library")],
                task=event.task,
            )

    def on_task_started(self, event: TaskStarted) -> None:
        """Note the files written in C that are at their end; no call of theirs can be watched."""
        task = event.task
        func = function_of(task) if has_objects(task) else None
        if func is None:
            return
        code = func.__code__
        suspects = [
            _Suspect(path, code.co_filename, code.co_firstlineno)
            for path, file in files_of(task)
            if path in code.co_varnames and not is_spooled(file) and not file.closed
            if is_at_end(file)
        ]
        if suspects:
            self._suspects[task] = suspects

    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Read in the source of the task whether it reads such a file without rewinding."""
        if not self._suspects:
            return
        for suspect in self._suspects.pop(event.task, ()):
            line = suspect.line_of_read()
            if line is not None:
                yield self.found(
                    f"{event.task.name} reads {suspect.name}, which was at its end when the task "
                    "started: it gets nothing.",
                    [("read at", Site(suspect.file, line, event.task.name))],
                    task=event.task,
                )


_READERS: Final = frozenset(
    {
        *("reader", "DictReader", "load", "copyfileobj", "list", "tuple", "enumerate", "map"),
        *("join", "sorted", "iter", "zip"),
    }
)
"""Functions that read a file from where it stands."""

_READS: Final = frozenset({"read", "read1", "readline", "readlines", "readinto", "__next__"})


@dataclass(frozen=True)
class _Suspect:
    """A file at its end, by the parameter of the task that it is given as."""

    name: str
    file: str
    line: int

    def line_of_read(self) -> int | None:
        """Return the line where the task reads the file, or None if it does something else too."""
        function = function_at(self.file, self.line)
        if function is None:
            return None
        uses = [node for node in ast.walk(function) if self._is_name(node)]
        reads = [line for line in map(self._read_by, ast.walk(function)) if line is not None]
        return min(reads) if reads and len(uses) == len(reads) else None

    def _is_name(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.name

    def _read_by(self, node: ast.AST) -> int | None:
        if isinstance(node, (ast.For, ast.comprehension)) and self._is_name(node.iter):
            return node.iter.lineno
        if not isinstance(node, ast.Call):
            return None
        func = node.func
        is_read = isinstance(func, ast.Attribute) and self._is_name(func.value)
        if is_read and called_name(node) in _READS:
            return node.lineno
        takes = any(map(self._is_name, node.args)) and called_name(node) in _READERS
        return node.lineno if takes else None
