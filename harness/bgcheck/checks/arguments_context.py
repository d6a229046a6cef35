"""BG3, continued: context variables that do not get from the request to the task."""

from __future__ import annotations

import types
import weakref
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.arguments_live import function_of
from bgcheck.checks.base import Check, Finding, unless_plain
from bgcheck.checks.reach import user_modules
from bgcheck.recorder.record import Site, describe_function
from bgcheck.recorder.state import capture, describe
from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import ContextLost, TaskStarted
    from bgcheck.recorder.request import RequestInfo

FUNCTIONS: Final = 200
"""How many functions that a task may call are looked through for a variable."""


@dataclass(frozen=True)
class _Lost:
    """A variable that a worker thread has set.

    Attributes:
        name: its name in a module of the user's.
        value: its value there, as text.
        earlier: the id of its value before, or None.
        setter: the function that ran in the thread.
        site: where that is defined, or None.
    """

    name: str
    value: str
    earlier: int | None
    setter: str
    site: Site | None


class ContextVarLost(Check):
    """A context variable that the request has set has its old value in the task."""

    code = "BG310"
    name = "contextvar-lost"
    default: ClassVar[Default] = "W"
    summary = "A context variable that was set in the request has another value in the task."
    way_out = (
        "Pass the value as an argument, or set the variable in an async function or middleware: a "
        "def endpoint or dependency runs in a thread with a copy of the context."
    )
    instruments: ClassVar[tuple[str, ...]] = ("contexts",)

    def __init__(self) -> None:
        self._lost: weakref.WeakKeyDictionary[RequestInfo, dict[ContextVar[Any], _Lost]] = (
            weakref.WeakKeyDictionary()
        )

    def on_context_lost(self, event: ContextLost) -> None:
        """Note a variable of the user's."""
        name = _name_of(event.variable)
        if name is not None:
            code = _code_of(event.setter)
            setter = code.co_name if code is not None else describe_function(event.setter)
            site = None
            if code is not None and is_user_file(code.co_filename):
                site = Site(code.co_filename, code.co_firstlineno, setter)
            value = describe(capture(event.value))
            lost = self._lost.setdefault(event.request, {})
            lost[event.variable] = _Lost(name, value, event.earlier, setter, site)

    @unless_plain
    def on_task_started(self, event: TaskStarted) -> Iterator[Finding]:
        """Tell of those that the task's code uses, and that nobody has set since."""
        task = event.task
        lost = self._lost.get(task.request) if task.request is not None else None
        func = function_of(task) if lost else None
        if not lost or func is None:
            return
        now = dict(copy_context().items())
        for variable, each in lost.items():
            current = id(now[variable]) if variable in now else None
            if current == each.earlier and _uses(func, variable):
                value = describe(capture(now[variable])) if variable in now else "not set"
                evidence: list[tuple[str, str | Site]] = [
                    (each.name, f"{each.value} in {each.setter}, {value} in the task")
                ]
                if each.site is not None:
                    evidence.append(("set in", each.site))
                yield self.found(
                    f"{each.name} was set in a worker thread of the request, and {task.name} does "
                    "not see it.",
                    evidence,
                    task=task,
                )


def _name_of(variable: ContextVar[Any]) -> str | None:
    """Return the name that a module of the user's has for a variable, or None."""
    for module in user_modules():
        for name, value in list(vars(module).items()):
            if value is variable:
                return name
    return None


def _code_of(func: Any) -> types.CodeType | None:
    """Return the code of a function; of a step of a `yield` dependency, that of the dependency."""
    generator = getattr(getattr(func, "__self__", None), "gen", None)
    code = getattr(generator, "gi_code", None) or getattr(func, "__code__", None)
    return code if isinstance(code, types.CodeType) else None


def _uses(func: types.FunctionType, variable: ContextVar[Any]) -> bool:
    """Whether a function, or what it calls in user code, names a variable."""
    seen: set[types.FunctionType] = set()
    waiting = [func]
    while waiting and len(seen) < FUNCTIONS:
        one = waiting.pop()
        if one in seen or not is_user_file(one.__code__.co_filename):
            continue
        seen.add(one)
        for value in _named(one):
            if value is variable:
                return True
            waiting += _functions(value)
    return False


def _named(func: types.FunctionType) -> Iterator[Any]:
    """Yield what the names in the code of a function, and in functions inside it, stand for."""
    for code in _codes(func.__code__):
        for name in code.co_names:
            value = func.__globals__.get(name)
            yield value
            if isinstance(value, types.ModuleType):
                yield from (vars(value).get(each) for each in code.co_names)
    for cell in func.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _functions(value: Any) -> list[types.FunctionType]:
    """Return the functions that a value may call: itself, or the methods of its class."""
    if isinstance(value, types.FunctionType):
        return [value]
    kind = value if isinstance(value, type) else type(value)
    return [each for each in vars(kind).values() if isinstance(each, types.FunctionType)]
