"""Failures inside of a task: an error raised at a line of its own body, as if a call there failed.

The line raises each time it is reached, so that a retry meets the error again. Cleaning up is left
alone: lines in `finally` and `except`, the headers of `with`, and calls such as `close()`.
"""

import ast
import asyncio
import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bgcheck.recorder.record import ScheduledTask, describe_function
from bgcheck.runner.clients.backends import in_trio
from bgcheck.runner.clients.exchange import response_first_exchange
from bgcheck.runner.faults import Fault
from bgcheck.runner.threads import threadsafe

CLOSING = frozenset(
    {
        *("aclose", "cancel", "clear", "close", "discard", "dispose", "join", "pop", "release"),
        *("remove", "rollback", "shutdown"),
    }
)
LIMIT = 25
"""How often a line raises: a task that tries again without end gets through at last."""
POINTS = 5
"""How many lines of one task raise, at most."""


class InjectedError(Exception):
    """The error that bgcheck has a task raise."""

    def __init__(self, where: str = "") -> None:
        super().__init__(f"injected by bgcheck{where}")


@dataclass(frozen=True)
class Point:
    """A statement of a task that can fail: its lines in the file, and its text."""

    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return f"line {self.first}: {self.text}"


def code_of(func: Any) -> types.CodeType | None:
    """Return the code that a callable leads to, behind partials, methods and wrappers."""
    while True:
        if isinstance(func, functools.partial):
            func = func.func
        elif isinstance(func, types.MethodType):
            func = func.__func__
        elif hasattr(func, "__wrapped__"):
            func = func.__wrapped__
        elif isinstance(func, types.FunctionType):
            return func.__code__
        elif isinstance(vars(type(func)).get("__call__"), types.FunctionType):
            func = vars(type(func))["__call__"]
        else:
            return None


def points_of(func: Any) -> list[Point]:
    """Return the statements of a task that can fail, evenly chosen; none without its source."""
    code = code_of(func)
    if code is None:
        return []
    try:
        lines, start = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        return []
    body = getattr(tree.body[0], "body", []) if tree.body else []
    found = [] if not isinstance(body, list) else list(_statements(body, start - 1))
    return found[:: -(-len(found) // POINTS)] if found else []


def _statements(body: list[ast.stmt], offset: int) -> Iterator[Point]:
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        inner = [*getattr(statement, "body", []), *getattr(statement, "orelse", [])]
        if inner:
            yield from _statements(inner, offset)
        elif _can_fail(statement):
            text = ast.unparse(statement).partition("\n")[0]
            last = statement.end_lineno or statement.lineno
            yield Point(statement.lineno + offset, last + offset, text)


def _can_fail(statement: ast.stmt) -> bool:
    nodes = list(ast.walk(statement))
    names = {node.func.attr for node in nodes if _is_method_call(node)}  # type: ignore[attr-defined]
    calls = any(isinstance(node, (ast.Call, ast.Await)) for node in nodes)
    return calls and not isinstance(statement, ast.Raise) and not names & CLOSING


def _is_method_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


class FailureBefore(Fault):
    """The task raises in place of its first line, outside of its body."""

    def wrap(self, task: ScheduledTask, body: Any) -> Any:
        """Return a body that raises."""
        task.injected = True

        async def fail() -> None:
            raise InjectedError(f" before {task.name}")

        return fail


class FailureAfter(Fault):
    """The task runs to its end, and raises then."""

    def wrap(self, task: ScheduledTask, body: Any) -> Any:
        """Return a body that raises at the end."""
        task.injected = True

        async def fail() -> None:
            await body()
            raise InjectedError(f" after {task.name}")

        return fail


class FailureInside(Fault):
    """A line of the task raises, each time it is reached. `raised` counts."""

    def __init__(self, runner: Any, func: Callable[..., Any], point: Point) -> None:
        super().__init__(runner, func, None)
        self.raised = 0
        self._point = point
        self._code = code_of(func)

    def wrap(self, task: ScheduledTask, body: Any) -> Any:
        """Return the body with the task's function under a tracer."""
        task.injected = True

        async def traced() -> None:
            live: Any = task.live
            original = live.func
            live.func = self._armed(original, is_async=bool(live.is_async))
            try:
                await body()
            finally:
                live.func = original

        return traced

    def _armed(self, original: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._tracing():
                return original(*args, **kwargs)

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with self._tracing():
                return await original(*args, **kwargs)

        return call_async if is_async else call

    @contextmanager
    def _tracing(self) -> Iterator[None]:
        before = sys.gettrace(), sys.getprofile()
        sys.settrace(self._trace)
        sys.setprofile(self._rearm)
        try:
            yield
        finally:
            sys.setprofile(before[1])
            sys.settrace(before[0])

    def _trace(self, frame: types.FrameType, event: str, _: Any) -> Any:
        if frame.f_code is not self._code:
            return None
        here = event == "line" and self._point.first <= frame.f_lineno <= self._point.last
        if here and self.raised < LIMIT:
            self.raised += 1
            self._strike()
        return self._trace

    def _strike(self) -> None:
        raise InjectedError(f" in {describe_function(self._func)}, {self._point}")

    def _rearm(self, frame: types.FrameType, _event: str, _arg: Any) -> None:
        """Trace on: an error that a tracer raises ends all tracing."""
        if sys.gettrace() is not None:
            return
        outer: types.FrameType | None = frame
        while outer is not None:
            if outer.f_code is self._code:
                outer.f_trace = self._trace
            outer = outer.f_back
        sys.settrace(self._trace)


class CancellationInside(FailureInside):
    """An async task is cancelled when it reaches a line; it meets that at its next `await`."""

    def takes(self, task: ScheduledTask) -> bool:
        """Leave `def` tasks alone: a thread cannot be cancelled."""
        return "async-task" in task.shape and super().takes(task)

    def _strike(self) -> None:
        if self.raised > 1:
            return
        exchange = response_first_exchange.get()
        if in_trio() and exchange is not None and exchange.task is not None:
            exchange.task.cancel()
        running = None if in_trio() else asyncio.current_task()
        if running is not None:
            running.cancel()


class DisconnectInside(FailureInside):
    """The client goes away when the task reaches a line, in whichever thread that is."""

    _leave: Callable[[], object] | None = None

    def wrap(self, task: ScheduledTask, body: Any) -> Any:
        """Return the body with the task's function under a tracer."""
        traced = super().wrap(task, body)

        async def watched() -> None:
            exchange = response_first_exchange.get()
            if exchange is not None:
                self._leave = threadsafe(exchange.disconnect)
            await traced()

        return watched

    def _strike(self) -> None:
        if self.raised == 1 and self._leave is not None:
            self._leave()
