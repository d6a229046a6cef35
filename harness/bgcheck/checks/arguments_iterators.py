"""BG3, continued: iterators that were consumed before the task ran. Nothing advances them."""

from __future__ import annotations

import ast
import gc
import io
import types
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from bgcheck.checks.arguments_live import has_objects, objects_of
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.reach import is_shared
from bgcheck.checks.source import called_name, function_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskScheduled, TaskStarted
    from bgcheck.recorder.record import ScheduledTask, Site

_SOURCES: Final = frozenset(
    {
        *("list_iterator", "tuple_iterator", "set_iterator", "odict_iterator"),
        *("str_iterator", "str_ascii_iterator", "bytes_iterator", "bytearray_iterator"),
        *("dict_keyiterator", "dict_valueiterator", "dict_itemiterator"),
        *("dict_reversekeyiterator", "dict_reversevalueiterator", "dict_reverseitemiterator"),
    }
)
"""Iterators that refer to what they iterate over until they have met its end."""

_COUNTED: Final = frozenset(
    {"range_iterator", "list_reverseiterator", "_deque_iterator", "_deque_reverse_iterator"}
)
"""Iterators of which only the number of items left can be told."""

_ENDED_WITH_ANY: Final = frozenset(
    {
        *("map", "zip", "filter", "enumerate", "starmap", "accumulate", "filterfalse"),
        *("dropwhile", "compress", "pairwise", "batched"),
    }
)
"""Iterators over others that are over as soon as one of those is."""

_READERS: Final = frozenset({"reader", "DictReader"})

_ENDED_WITHOUT: Final = frozenset({"chain", "islice"})
"""Iterators over others that let go of them at their end."""

_MODULES: Final = frozenset({"builtins", "collections", "_collections", "csv", "_csv", "itertools"})


class Progress(NamedTuple):
    """How far an iterator has come, as numbers.

    Attributes:
        over: it yields nothing any more.
        left: for a built-in sequence, how many items are left; for a reader of `csv`, less than 0
            by what it has read; else None.
        position: for a generator, the instruction that it stopped at; else None.
        inner: the progress of the iterators that it takes its items from.
    """

    over: bool
    left: int | None = None
    position: int | None = None
    inner: tuple[Progress, ...] = ()

    def is_behind(self, later: Progress) -> bool:
        """Whether the iterator has come on until `later`."""
        if later.over and not self.over:
            return True
        if self.left is not None and later.left is not None and later.left < self.left:
            return True
        return self.position != later.position or any(
            one.is_behind(other) for one, other in zip(self.inner, later.inner, strict=False)
        )


def progress_of(value: Any) -> Progress | None:
    """Return how far an iterator has come, without advancing it, or None where nobody can tell."""
    if isinstance(value, types.GeneratorType):
        return _of_frame(value.gi_frame)
    if isinstance(value, types.AsyncGeneratorType):
        return _of_frame(value.ag_frame)
    kind = type(value)
    if kind.__module__ not in _MODULES or not hasattr(kind, "__next__"):
        return None
    name = kind.__name__
    if name in _SOURCES:
        return Progress(not _followed(value), _left(value))
    if name in _COUNTED:
        return Progress(False, _left(value))
    if name in _READERS:
        return Progress(any(each.over for each in _known(value)), _rows_left(value))
    if name in _ENDED_WITH_ANY or name in _ENDED_WITHOUT or name in ("takewhile", "zip_longest"):
        return _of_inner(value, name)
    return None


def _of_frame(frame: types.FrameType | None) -> Progress:
    return Progress(frame is None, position=frame.f_lasti if frame is not None else None)


def _followed(value: Any) -> bool:
    return any(not isinstance(each, (type, tuple)) or _is_sequence(value, each)
               for each in gc.get_referents(value))  # fmt: skip


def _is_sequence(value: Any, held: Any) -> bool:
    """Whether a tuple is what an iterator walks over, rather than its room for a result."""
    return isinstance(held, tuple) and type(value).__name__ == "tuple_iterator"


def _left(value: Any) -> int | None:
    try:
        return int(value.__length_hint__())
    except Exception:  # a container that changed its size may refuse
        return None


def _of_inner(value: Any, name: str) -> Progress | None:
    known = _known(value)
    if name in _ENDED_WITHOUT:
        return Progress(not any(True for _ in _inner(value)), inner=known)
    over = name in _ENDED_WITH_ANY and any(progress.over for progress in known)
    return Progress(over, inner=known) if known else None


def _known(value: Any) -> tuple[Progress, ...]:
    """Return the progress of the iterators that an iterator refers to, where it can be told."""
    return tuple(progress for progress in map(progress_of, _inner(value)) if progress is not None)


def _rows_left(reader: Any) -> int:
    """Count down the lines that a reader of `csv` has read; to ask for the names reads one."""
    return -max(0, int(reader.line_num) - (type(reader).__name__ == "DictReader"))


def _inner(value: Any) -> Iterator[Any]:
    """Yield the iterators that an iterator refers to."""
    for held in gc.get_referents(value):
        for each in held if type(held) is tuple else (held,):
            if hasattr(type(each), "__next__") or isinstance(each, types.AsyncGeneratorType):
                yield each


class OneShotIterator(Check):
    """An iterator argument was consumed before the task got to it."""

    code = "BG305"
    name = "one-shot-iterator"
    default: ClassVar[Default] = "E"
    summary = "An iterator or generator among the arguments was consumed before the task ran."
    way_out = "Pass a list or tuple, or make the iterator inside of the task."

    def __init__(self) -> None:
        self._scheduled: weakref.WeakKeyDictionary[ScheduledTask, dict[str, Progress]] = (
            weakref.WeakKeyDictionary()
        )

    def on_task_scheduled(self, event: TaskScheduled) -> None:
        """Note how far the iterators have come."""
        if has_objects(event.task):
            found = {path: progress for path, _, progress in _iterators(event.task)}
            if found:
                self._scheduled[event.task] = found

    def on_task_started(self, event: TaskStarted) -> Iterator[Finding]:
        """Compare."""
        if not self._scheduled:
            return
        task = event.task
        before = self._scheduled.get(task)
        if before is None or task.request is None:
            return
        for path, value, now in _iterators(task):
            then = before.get(path)
            if then is None:
                continue
            state = _consumed(then, now, value, task)
            if state is not None:
                yield self.found(
                    f"{path} of {task.name} was consumed before the task ran.",
                    [(path, f"{_name(value)}, {state}")],
                    task=task,
                )


def _iterators(task: ScheduledTask) -> Iterator[tuple[str, Any, Progress]]:
    for path, value in objects_of(task):
        if isinstance(value, io.IOBase):
            continue
        progress = progress_of(value)
        if progress is not None:
            yield path, value, progress


def _consumed(then: Progress, now: Progress, value: Any, task: ScheduledTask) -> str | None:
    """Say how an iterator was consumed, or None if it was not, or is meant to be as it is."""
    if then.over:
        partly = task.site is None or takes_a_part(task.site)
        return None if partly and task.runs == 1 else "at its end already when scheduled"
    if now.over:
        return "brought to its end between scheduling and start"
    if then.is_behind(now) and not _is_split(value, task) and not is_shared(value, task.request):
        return "advanced between scheduling and start"
    return None


def _is_split(value: Any, task: ScheduledTask) -> bool:
    """Whether an earlier task has taken a part and left the rest: tasks that share the work."""
    others = task.request.tasks if task.request is not None else ()
    return any(
        other is not task and other.runs and any(each is value for _, each in objects_of(other))
        for other in others
    )


def _name(value: object) -> str:
    inner = getattr(value, "__qualname__", None)
    name = inner.rpartition("<locals>.")[2] if isinstance(inner, str) else type(value).__name__
    kind = "generator" if isinstance(value, types.GeneratorType) else "iterator"
    return f"{kind} {name}"


_TAKERS: Final = frozenset(
    {"next", "anext", "islice", "takewhile", "zip", "batched", "any", "all", "send", "asend"}
)
"""Calls that may take a part of an iterator and leave the rest."""


def takes_a_part(site: Site) -> bool:
    """Whether the function at a site may take a part of an iterator, so that the rest is meant.

    Args:
        site: where a task was scheduled. An unknown source counts as yes.
    """
    function = function_at(site.file, site.line)
    return function is None or any(map(_is_partial, ast.walk(function)))


def _is_partial(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return called_name(node) in _TAKERS
    if isinstance(node, ast.Compare):
        return any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops)
    return isinstance(node, ast.Break)
