"""Where an application call that does not end is waiting: its tasks and worker threads."""

from __future__ import annotations

import asyncio
import gc
import linecache
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from functools import partial
from inspect import getattr_static
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from bgcheck.runner.clients.exchange import Exchange, response_first_exchange

_STANDARD_LIBRARY = tuple(str(Path(sysconfig.get_path(x))) for x in ("stdlib", "platstdlib"))
_HARNESS = str(Path(__file__).parents[2])
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/](\w+)")
_MACHINERY = {"anyio", "trio", "outcome", "uvloop", "starlette", "fastapi", "sniffio"}


_CANCELLED = (
    "Cancelled. Let it end before the client is left (release its gate, set its event), "
    "or give the client a longer leave_timeout."
)
_GOES_ON = "Let it end first (release its gate, set its event), or wait with a longer timeout."


class StillRunningError(TimeoutError):
    """Application calls were still running when their client was left, and were cancelled.

    Attributes:
        lines: one line a place that waits, under the request it belongs to.
        timeout: the limit in seconds.
        survivors: how many application calls even cancellation did not end.
    """

    lines: list[str]
    timeout: float
    count: int
    survivors: int = 0
    left: bool

    @classmethod
    def of(
        cls, descriptions: list[list[str]], timeout: float, *, left: bool = True
    ) -> StillRunningError:
        """Make the error from what `describe` returned.

        Args:
            descriptions: the lines of each exchange.
            timeout: the limit, in seconds.
            left: the client was left, and the calls are cancelled; else they go on.
        """
        error = cls()
        error.left = left
        error.lines = [line for description in descriptions for line in description]
        error.count = len(descriptions)
        error.timeout = timeout
        return error

    def __str__(self) -> str:
        """Name what hangs, where, and the way out."""
        when = "after the client was left" if self.left else "after the client began to wait"
        text = [f"{_calls(self.count)} still running {self.timeout:g} s {when}:"]
        text += [f"  {line}" for line in self.lines]
        text.append(_CANCELLED if self.left else _GOES_ON)
        if self.survivors:
            text.append(f"{_calls(self.survivors)} still running after the cancellation.")
        return "\n".join(text)


def _calls(number: int) -> str:
    return "1 request is" if number == 1 else f"{number} requests are"


def describe(exchanges: Iterable[Exchange]) -> list[list[str]]:
    """Return for each exchange a line with its request, then a line for each place that waits."""
    return [[_headline(exchange), *_places(exchange)] for exchange in exchanges]


def _headline(exchange: Exchange) -> str:
    if exchange.disconnected:
        state = "client gone"
    elif exchange.response_complete:
        state = "response complete"
    elif exchange.response_started:
        state = "response started"
    else:
        state = "no response yet"
    return f"{exchange.method} {exchange.path} ({state})"


def _places(exchange: Exchange) -> list[str]:
    stacks = [lines for lines in _leaf_stacks(exchange) if lines]
    own = [lines for lines in stacks if any(map(_is_own, lines))]
    places = [f"  waits at {_innermost(lines)}" for lines in own or stacks]
    for name, lines in _threads_of(exchange):
        places.append(f"  thread {name!r} is at {_innermost(lines)}")
    return list(dict.fromkeys(places))


class _Line(NamedTuple):
    frame: FrameType
    number: int


def _is_own(line: _Line) -> bool:
    return _is_users(line.frame.f_code.co_filename)


def _innermost(lines: list[_Line]) -> str:
    """Describe the innermost line of the user's code, else of any code."""
    frame, number = [*lines[-1:], *filter(_is_own, lines)][-1]
    code = frame.f_code
    source = linecache.getline(code.co_filename, number, frame.f_globals).strip()
    return f"{code.co_filename}:{number} in {code.co_name}: {source}"


def _is_users(filename: str) -> bool:
    installed = _INSTALLED.search(filename)
    if installed is not None:
        return installed[1] not in _MACHINERY
    return not filename.startswith(("<", _HARNESS, *_STANDARD_LIBRARY))


def _leaf_stacks(exchange: Exchange) -> Iterator[list[_Line]]:
    """Yield the stack of each task of an exchange that waits for no other task of it."""
    task = exchange.task.native if exchange.task is not None else None
    if task is None:
        return
    family = _trio_family(task) if exchange.backend.name == "trio" else _asyncio_family(exchange)
    for member in family:
        yield list(_awaiting(_coroutine(member)))


def _coroutine(task: Any) -> object:
    return task.get_coro() if isinstance(task, asyncio.Task) else task.coro


def _trio_family(task: Any) -> list[Any]:
    children = [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return [leaf for child in children for leaf in _trio_family(child)] or [task]


def _asyncio_family(exchange: Exchange) -> list[Any]:
    """The tasks started in the context of an exchange; its own where there is no other."""
    own: Any = exchange.task.native if exchange.task is not None else None
    find = _shares_context if sys.version_info >= (3, 12) else _anyio_descendants(own)
    tasks = [task for task in asyncio.all_tasks(own.get_loop()) if task is not own]
    return [task for task in tasks if find(task, exchange)] or [own]


def _shares_context(task: Any, exchange: Exchange) -> bool:
    return task.get_context().get(response_first_exchange) is exchange


def _anyio_descendants(own: object) -> Callable[[Any, Exchange], bool]:
    """Where a task does not tell its context, follow the parents that anyio keeps."""
    anyio = sys.modules.get("anyio")
    tasks = anyio.get_running_tasks() if anyio is not None else []
    parents = {task.id: task.parent_id for task in tasks}

    def descends(task: Any, _: Exchange) -> bool:
        identity: int | None = id(task)
        while identity is not None and identity != id(own):
            identity = parents.get(identity)
        return identity is not None

    return descends


def _awaiting(awaitable: object) -> Iterator[_Line]:
    """Yield the lines of a suspended coroutine, outermost first."""
    seen: set[int] = set()
    while awaitable is not None and id(awaitable) not in seen:
        seen.add(id(awaitable))
        frame = _first(awaitable, "cr_frame", "gi_frame", "ag_frame")
        if isinstance(frame, FrameType):
            yield _Line(frame, frame.f_lineno)
            awaitable = _first(awaitable, "cr_await", "gi_yieldfrom", "ag_await")
        else:
            awaitable = _behind(awaitable)


def _first(thing: object, *names: str) -> object:
    found = (getattr(thing, name, None) for name in names)
    return next((value for value in found if value is not None), None)


def _behind(awaitable: object) -> object:
    """The coroutine or generator inside an awaitable of C code, such as `agen.__anext__()`."""
    kinds = ("cr_frame", "gi_frame", "ag_frame")
    inner = gc.get_referents(awaitable)
    return next((thing for thing in inner if _first(thing, *kinds) is not None), None)


def _threads_of(exchange: Exchange) -> Iterator[tuple[str, list[_Line]]]:
    """Yield name and stack of each thread that runs a function in the exchange's context."""
    frames = sys._current_frames()  # noqa: SLF001  the documented way to another thread's line
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or thread is threading.current_thread():
            continue
        stack = list(reversed(list(_outwards(frame))))
        if any(_runs_in(line.frame, exchange) for line in stack):
            yield thread.name, stack


def _outwards(frame: FrameType | None) -> Iterator[_Line]:
    while frame is not None:
        yield _Line(frame, frame.f_lineno)
        frame = frame.f_back


def _runs_in(frame: FrameType, exchange: Exchange) -> bool:
    if not _is_users(frame.f_code.co_filename):
        values = list(frame.f_locals.values())
        return any(_context_of(value, exchange) for value in values)
    return False


def _context_of(value: object, exchange: Exchange) -> bool:
    """Whether a local of a worker thread is, or holds, a context of this exchange."""
    while isinstance(value, partial):
        value = value.func
    held = (value, *(getattr_static(value, name, None) for name in ("__self__", "context")))
    contexts = [thing for thing in held if isinstance(thing, Context)]
    return any(context.get(response_first_exchange) is exchange for context in contexts)
