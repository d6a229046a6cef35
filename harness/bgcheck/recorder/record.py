"""One record for each scheduled task."""

from __future__ import annotations

import functools
import sys
import types
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

from bgcheck.recorder.binding import behind_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bgcheck.recorder.failure import Failure
    from bgcheck.recorder.params import Params
    from bgcheck.recorder.request import RequestInfo
    from bgcheck.recorder.state import CallState

Outcome = Literal[
    "pending", "held", "running", "succeeded", "failed", "cancelled", "skipped", "lost"
]
"""Where a task stands; the last five are final."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
UNFINISHED: frozenset[Outcome] = frozenset({"pending", "held", "running"})


SOME_GROUP: Final = 0
"""Stands for the id of a group, while nothing has asked which one it is."""


class TaskObject(Protocol):
    """What a task object of the framework offers: Starlette's `BackgroundTask`."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """The place in user code that scheduled a task."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class ScheduledTask:
    """One function with its arguments, handed to the framework, and what became of it.

    Made by bgcheck; tests read it. `params` is a snapshot from the moment of scheduling, `args`
    and `kwargs` are the live objects.
    """

    # Most tasks keep most of these, and setting each in every record would take time.
    parent: ScheduledTask | None = None
    failure: Failure | None = None
    failure_seen: bool = False
    handler: str | None = None
    cancelled_from_outside: bool = False
    reason: str | None = None
    thread: Literal["loop", "worker"] | None = None
    thread_name: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    runs: int = 0
    loop_thread: int | None = None
    """The thread that runs the event loop of the task, also of one in a worker thread."""
    earlier_runs: int = 0
    """Runs in requests that the task object had before it got this record."""
    first_request: str | None = None
    """The request of the first of these."""
    dropped: bool = False
    queued: bool = False
    """It is a message for a queue, which no gate holds."""
    bypassed: bool = False
    asserted: bool = False
    injected: bool = False
    unstarted: str | None = None
    group: int | None = None
    kinds: tuple[weakref.ref[type[Any]], ...] = ()
    plain: bool = False
    """Its call is a plain one, and nothing has happened with it but that it is on its way."""
    _params: Params | None = None
    _outcome: Outcome = "pending"
    _error: BaseException | None = None
    _call: CallState | None = None
    _constants: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None

    def __init__(
        self,
        live: TaskObject,
        *,
        params: Params | None,
        site: Site | None,
        request: RequestInfo | None,
        number: int,
        recording: int,
    ) -> None:
        self._live = weakref.ref(live)
        func = func_of(live)
        self.name: str = describe_function(func)
        self.shape: tuple[str, ...] = _shape(func, is_async=getattr(live, "is_async", False))
        self._params = params
        self.site: Site | None = site
        self.request: RequestInfo | None = request
        self.number: int = number
        self.recording: int = recording

    @property
    def call(self) -> CallState | None:
        """The state of the call when it was scheduled, where a sink watches the session."""
        if self._call is None and self._constants is not None:
            from bgcheck.recorder.state import CallState

            args, kwargs = self._constants
            self._call = CallState(self.name, tuple(args), dict(kwargs), constant=True)
        return self._call

    @call.setter
    def call(self, call: CallState | None) -> None:
        self._call = call

    @property
    def roles(self) -> frozenset[str]:
        """What is among its arguments, such as `session-argument`, where a sink watches."""
        return self._call.roles if self._call is not None else frozenset()

    def keep_plain_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Note that the task is a plain call with these arguments, which are all constants."""
        self.plain = True
        self._constants = (args, kwargs)

    @property
    def params(self) -> Params:
        """The arguments by parameter name, as they were when the task was scheduled."""
        if self._params is None:
            from bgcheck.recorder.params import params_of_state

            self._params = params_of_state(self)
        return self._params

    @property
    def outcome(self) -> Outcome:
        """Where the task stands."""
        if self._outcome == "failed" and _read_by_test():
            self.failure_seen = True
        return self._outcome

    @outcome.setter
    def outcome(self, outcome: Outcome) -> None:
        self._outcome = outcome

    @property
    def error(self) -> BaseException | None:
        """What the task raised, or None; kept while `bgtasks` or `bgcheck.record()` is in use."""
        if self._error is not None and _read_by_test():
            self.failure_seen = True
        return self._error

    @error.setter
    def error(self, error: BaseException | None) -> None:
        self._error = error

    @property
    def live(self) -> TaskObject:
        """The framework's own task object.

        Raises:
            ReferenceError: the object is gone, because nothing kept the live arguments.
        """
        live = self._live()
        if live is None:
            raise ReferenceError(
                f"the live arguments of {self.name} are gone: bgcheck keeps them only while the "
                "bgtasks fixture or bgcheck.record() is in use; read task.params instead"
            )
        return live

    def is_of(self, live: object) -> bool:
        """Whether this is the record of a task object."""
        return self._live() is live

    def is_gone(self) -> bool:
        """Whether the task object is gone."""
        return self._live() is None

    @property
    def func(self) -> Callable[..., Any]:
        """The callable as user code handed it over; the class of a task object that has none."""
        return func_of(self.live)

    @property
    def args(self) -> tuple[Any, ...]:
        """The live positional arguments."""
        return tuple(getattr(self.live, "args", ()))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The live keyword arguments."""
        return dict(getattr(self.live, "kwargs", {}))

    @property
    def response_status(self) -> int | None:
        """The status that the client got, or None while there is no response."""
        return self.request.response_status if self.request else None

    @property
    def duration(self) -> float | None:
        """Seconds between start and end of the task, or None if it has not run to an end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at

    @property
    def finished(self) -> bool:
        """Whether the outcome is a final one."""
        return self._outcome not in UNFINISHED

    def __eq__(self, other: object) -> bool:
        from bgcheck.recorder.expectation import Expectation

        if isinstance(other, Expectation):
            return other == self
        return self is other if isinstance(other, ScheduledTask) else NotImplemented

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __repr__(self) -> str:
        return f"<ScheduledTask {self.name}({self.params.describe()}) {self.outcome}>"


def func_of(live: object) -> Callable[..., Any]:
    """Return what a task object calls: its `func`, or its class where a subclass has no `func`."""
    func: Callable[..., Any] = getattr(live, "func", type(live))
    return func


_ON_BEHALF_OF_TESTS: Final = ("bgcheck.recorder.log", "bgcheck.runner.drain")


def _read_by_test() -> bool:
    """Whether a test reads an attribute, itself or by a query, rather than bgcheck for its own."""
    reader = str(sys._getframe(2).f_globals.get("__name__"))  # noqa: SLF001 - nothing is as cheap
    return not reader.startswith("bgcheck.") or reader in _ON_BEHALF_OF_TESTS


_TASKIQ_SUFFIX: Final = "__taskiq_original"
"""What taskiq adds to the name of each function that it decorates."""

_ASYNC: Final = ("async-task",)
_DEF: Final = ("def-task",)


def shape_of(live: TaskObject) -> tuple[str, ...]:
    """Tell what kind of callable a task has: `async-task` or `def-task`, `partial`, ..."""
    return _shape(func_of(live), is_async=getattr(live, "is_async", False))


def _shape(func: object, *, is_async: bool) -> tuple[str, ...]:
    if type(func) is types.FunctionType:
        return _ASYNC if is_async else _DEF
    shape = [*(_ASYNC if is_async else _DEF)]
    if isinstance(func, functools.partial):
        shape.append("partial")
        func = func.func
    if isinstance(func, types.MethodType):
        shape.append("bound-method")
    elif not isinstance(func, (types.FunctionType, types.BuiltinFunctionType, functools.partial)):
        shape.append("callable-object")
    return tuple(shape)


def describe_function(func: object) -> str:
    """Name a callable as a person would: `send`, `Mailer.send`, `<lambda>`.

    Example:
        >>> from functools import partial
        >>> describe_function(partial(print, 1))
        'print'
    """
    func = behind_queue(func)
    while isinstance(func, functools.partial):
        func = func.func
    try:
        name = getattr(func, "__qualname__", None)
    except Exception:  # a foreign attribute access may do anything
        name = None
    if not isinstance(name, str):
        name = type(func).__qualname__
    return name.rpartition("<locals>.")[2].removesuffix(_TASKIQ_SUFFIX)
