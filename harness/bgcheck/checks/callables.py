"""BG1, continued: functions that do not do as tasks what they seem to do."""

from __future__ import annotations

import ast
import dis
import functools
import linecache
import weakref
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.base import Check, Finding, unless_plain
from bgcheck.recorder.binding import signature_of, unwrap
from bgcheck.recorder.contents import is_constant
from bgcheck.recorder.record import Site, describe_function, func_of
from bgcheck.recorder.state import Opaque, capture, describe, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskFinished, TaskScheduled, TaskSettled, TaskStarted
    from bgcheck.recorder.record import ScheduledTask


class UnawaitedResult(Check):
    """A synchronous callable returned a coroutine or a generator: its body never runs."""

    code = "BG106"
    name = "unawaited-result"
    default: ClassVar[Default] = "E"
    summary = "A task returned a coroutine or a generator that nobody runs."
    way_out = (
        "Schedule the async function itself, wrap it by an async wrapper, and make a generator "
        "a function that loops."
    )

    @unless_plain
    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Look at what the call in the worker thread returned."""
        task = event.task
        if task.unstarted is None:
            return
        article = "an" if task.unstarted.startswith("a") else "a"
        yield self.found(
            f"{task.name} returned {article} {task.unstarted} that nobody runs: the task did "
            "nothing.",
            [("ran as", "a plain function in a worker thread, whose result is dropped")],
            task=task,
        )


class UnresolvedDepends(Check):
    """A parameter marker of FastAPI reaches the task as a default value."""

    code = "BG107"
    name = "unresolved-depends"
    default: ClassVar[Default] = "E"
    summary = "A Depends(...) or parameter marker reaches the task as a default value."
    way_out = "Dependencies are resolved for endpoints only: pass the value to add_task."

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> Iterator[Finding]:
        """Look for markers among the arguments that the task will get."""
        live = event.task.live
        if not callable(getattr(live, "func", None)):
            return
        call = unwrap(live.func, live.args, live.kwargs)
        for name, value in _arguments(call.func, call.args, call.kwargs).items():
            if type(value).__module__ == "fastapi.params":
                marker = f"{type(value).__name__}(...)"
                yield self.found(
                    f"{event.task.name} gets {marker} itself as {name}, not what it stands for.",
                    [("signature", f"{event.task.name}{signature_of(call.func)}")],
                    task=event.task,
                    covers=[event.task],
                )


def _arguments(func: Any, args: tuple[Any, ...], kwargs: Any) -> dict[str, Any]:
    try:
        bound = signature_of(func).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)


class LateBinding(Check):
    """A variable that the task's function closes over was rebound before the task ran."""

    code = "BG108"
    name = "late-binding"
    default: ClassVar[Default] = "E"
    summary = "A variable captured by the task's function was rebound before the task ran."
    way_out = (
        "A closure sees the variable, not its value when scheduled: pass the value as an argument, "
        "add_task(send, user), not add_task(lambda: send(user))."
    )

    def __init__(self) -> None:
        self._captured: weakref.WeakKeyDictionary[ScheduledTask, dict[str, _Variable]]
        self._captured = weakref.WeakKeyDictionary()

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> None:
        """Note what each captured variable holds."""
        captured = _captured(func_of(event.task.live))
        if captured:
            self._captured[event.task] = captured

    @unless_plain
    def on_task_started(self, event: TaskStarted) -> Iterator[Finding]:
        """Compare when the first task of a request starts: later, tasks may rebind on purpose."""
        if event.task.request is not None and self._captured:
            for task in event.task.request.tasks:
                yield from self._compare(task)

    def _compare(self, task: ScheduledTask) -> Iterator[Finding]:
        before = self._captured.pop(task, None)
        if before is None:
            return
        now = _captured(func_of(task.live))
        for name, variable in before.items():
            if name in now and now[name].is_rebound_from(variable):
                then, since = describe(variable.state), describe(now[name].state)
                yield self.found(
                    f"{task.name} closes over {name}, which was rebound before the task ran.",
                    [(name, f"{then} when scheduled, {since} now")],
                    task=task,
                )


class _Variable:
    """What a captured variable held at one moment."""

    def __init__(self, value: object) -> None:
        self.oid = id(value)
        self.constant = is_constant(value)
        self.state = capture(value)

    def is_rebound_from(self, before: _Variable) -> bool:
        """Whether it holds another object with other contents.

        A constant at the same address took the place of one that is gone; anything else there is
        the same object, which may have changed.
        """
        return (self.oid != before.oid or self.constant) and self._differs_from(before)

    def _differs_from(self, before: _Variable) -> bool:
        if isinstance(self.state, Opaque) or isinstance(before.state, Opaque):
            return not same(self.state, before.state)
        return describe(self.state) != describe(before.state)


@functools.lru_cache(maxsize=1024)
def _rebound_by(code: CodeType) -> frozenset[str]:
    """The captured variables that a function itself rebinds: `nonlocal` state, not a mistake."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return frozenset(
        step.argval for step in dis.get_instructions(code) if step.opname == "STORE_DEREF"
    ).union(*map(_rebound_by, inner))


def _captured(func: object) -> dict[str, _Variable]:
    """Return what each variable that a function closes over holds, if it is bound."""
    while isinstance(func, functools.partial):
        func = func.func
    if not isinstance(func, FunctionType) or func.__closure__ is None:
        return {}
    found: dict[str, _Variable] = {}
    for name, cell in zip(func.__code__.co_freevars, func.__closure__, strict=True):
        if name in _rebound_by(func.__code__):
            continue
        try:
            value = cell.cell_contents
        except ValueError:  # not bound yet; it is meant to be bound later
            continue
        found[name] = _Variable(value)
    return found


MOVING: Final = frozenset({"datetime", "time", "uuid", "random", "secrets", "os"})
"""Modules of the standard library whose functions below mean something else at each call."""

MOVING_NAMES: Final = frozenset(
    {
        *("now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"),
        *("uuid1", "uuid4", "uuid6", "uuid7", "token_hex", "token_urlsafe", "token_bytes"),
        *("random", "randint", "randrange", "getrandbits", "urandom", "randbytes", "uniform"),
    }
)


class DefaultEvaluatedAtImport(Check):
    """A default such as `datetime.now()` was computed when the function was defined."""

    code = "BG109"
    name = "default-evaluated-at-import"
    default: ClassVar[Default] = "W"
    summary = "A default such as datetime.now() or uuid4() was computed at definition."
    way_out = "Use None as the default and compute the value inside, or pass it to add_task."

    def __init__(self) -> None:
        self._used: weakref.WeakKeyDictionary[
            ScheduledTask, tuple[weakref.ref[FunctionType], frozenset[str]]
        ] = weakref.WeakKeyDictionary()

    @unless_plain
    def on_task_scheduled(self, event: TaskScheduled) -> None:
        """Note which parameters are left to their defaults."""
        live = event.task.live
        if not callable(getattr(live, "func", None)):
            return
        call = unwrap(live.func, live.args, live.kwargs)
        func = getattr(call.func, "__func__", call.func)
        if isinstance(func, FunctionType) and (func.__defaults__ or func.__kwdefaults__):
            given = _given(call.func, call.args, call.kwargs)
            names = frozenset(signature_of(call.func).parameters) - given
            self._used[event.task] = (weakref.ref(func), names)

    @unless_plain
    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Read the definition, outside of any request."""
        reference, names = self._used.pop(event.task, (None, frozenset()))
        func = reference() if reference is not None else None
        if func is None or not names:
            return
        code = func.__code__
        for name, expression in _defaults_at(code.co_filename, code.co_firstlineno):
            if name in names and _moves(expression, func.__globals__):
                place = Site(code.co_filename, code.co_firstlineno, describe_function(func))
                yield self.found(
                    f"the default of {name} in {event.task.name} was computed once, at definition.",
                    [("default", f"{name}={ast.unparse(expression)}"), ("defined", str(place))],
                    task=event.task,
                )


def _given(func: Any, args: tuple[Any, ...], kwargs: Any) -> frozenset[str]:
    try:
        return frozenset(signature_of(func).bind(*args, **kwargs).arguments)
    except TypeError:
        return frozenset(signature_of(func).parameters)


@functools.lru_cache(maxsize=1024)
def _defaults_at(file: str, line: int) -> tuple[tuple[str, ast.expr], ...]:
    """Return the defaults of the function at a line, by parameter."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ()
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS) and _starts_at(node, line):
            return tuple(_defaults(node.args))
    return ()


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _starts_at(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, line: int) -> bool:
    """Whether a function's code object says this line: that of its first decorator, if any."""
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return line == min([node.lineno, *(each.lineno for each in decorators)])


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    offset = len(positional) - len(arguments.defaults)
    for argument, value in zip(positional[offset:], arguments.defaults, strict=True):
        yield argument.arg, value
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield argument.arg, default


def _moves(node: ast.AST, names: dict[str, Any]) -> bool:
    """Whether an expression calls a clock or a source of chance when it is evaluated."""
    if isinstance(node, ast.Lambda):
        return False
    if isinstance(node, ast.Call) and _is_moving(_resolve(node.func, names)):
        return True
    return any(_moves(child, names) for child in ast.iter_child_nodes(node))


def _resolve(node: ast.expr, names: dict[str, Any]) -> object:
    """Return what a dotted name stands for, as far as modules and classes lead to it."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, names)
        if isinstance(owner, (ModuleType, type)):
            return getattr(owner, node.attr, None)
    return None


def _is_moving(function: object) -> bool:
    owner = getattr(function, "__self__", None)
    home = owner if isinstance(owner, (ModuleType, type)) else type(owner)
    modules = {
        getattr(function, "__module__", None),
        home.__module__ if isinstance(home, type) else home.__name__,
    }
    return getattr(function, "__name__", None) in MOVING_NAMES and not MOVING.isdisjoint(modules)


CHECKS: tuple[type[Check], ...] = (
    UnawaitedResult,
    UnresolvedDepends,
    LateBinding,
    DefaultEvaluatedAtImport,
)
