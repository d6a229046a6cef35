"""One record for each scheduled task, and for the request that scheduled it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

if TYPE_CHECKING:
    from bgcheck.recorder.params import Params

Outcome = Literal[
    "pending", "held", "running", "succeeded", "failed", "cancelled", "skipped", "lost"
]
"""Where a task stands; the last five are final."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
UNFINISHED: frozenset[Outcome] = frozenset({"pending", "held", "running"})


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


class RequestInfo:
    """The request that scheduled a task: method, path, route template and number in the test.

    Example:
        >>> request = RequestInfo(method="POST", path="/items/42", number=2)
        >>> str(request)
        'POST /items/42, 2nd request'
    """

    __slots__ = (
        "__weakref__",
        "_find_route",
        "_route",
        "_scope",
        "error",
        "finished",
        "method",
        "number",
        "path",
        "recording",
        "response_complete",
        "response_status",
        "tasks",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        number: int,
        recording: int = 0,
        scope: Mapping[str, Any] | None = None,
        find_route: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.method = method
        self.path = path
        self.number = number
        self.recording = recording
        self._scope = scope
        self.response_status: int | None = None
        self.response_complete = False
        self.finished = False
        self.error: BaseException | None = None
        self.tasks: list[ScheduledTask] = []
        self._find_route: Callable[[], str | None] | None = find_route
        self._route: str | None = None

    @property
    def route(self) -> str | None:
        """The path template of the route that answered, such as `/items/{item_id}`."""
        if self._route is None and self._find_route is not None:
            self._route = self._find_route()
        return self._route

    def belongs_to(self, scope: Mapping[str, Any]) -> bool:
        """Whether an application call with this scope is part of this request."""
        if self._scope is None:
            return False
        headers = scope.get("headers")
        return scope is self._scope or (
            headers is not None and headers is self._scope.get("headers")
        )

    def finish(self, error: BaseException | None) -> None:
        """Note that the application call is over, and let go of its scope."""
        if self.tasks:
            self.route  # noqa: B018 - the template is looked up while the scope is alive
        self._find_route = None
        self._scope = None
        self.error = error
        self.finished = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}, {ordinal(self.number)} request"

    def __repr__(self) -> str:
        return f"<RequestInfo {self}>"


class ScheduledTask:
    """One function with its arguments, handed to the framework, and what became of it.

    Made by bgcheck; tests read it. `params` is a snapshot from the moment of scheduling, `args`
    and `kwargs` are the live objects.
    """

    def __init__(
        self,
        live: TaskObject,
        *,
        params: Params,
        site: Site | None,
        request: RequestInfo | None,
        number: int,
        recording: int,
    ) -> None:
        self._live = weakref.ref(live)
        self.name: str = describe_function(live.func)
        self.params: Params = params
        self.site: Site | None = site
        self.request: RequestInfo | None = request
        self.number: int = number
        self.recording: int = recording
        self.parent: ScheduledTask | None = None
        self.outcome: Outcome = "pending"
        self.error: BaseException | None = None
        self.reason: str | None = None
        self.thread: Literal["loop", "worker"] | None = None
        self.thread_name: str | None = None
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.runs: int = 0
        self.dropped: bool = False
        self.asserted: bool = False
        self.group: int | None = None

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

    @property
    def func(self) -> Callable[..., Any]:
        """The callable as user code handed it over."""
        return self.live.func

    @property
    def args(self) -> tuple[Any, ...]:
        """The live positional arguments."""
        return tuple(self.live.args)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The live keyword arguments."""
        return dict(self.live.kwargs)

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
        return self.outcome not in UNFINISHED

    def __eq__(self, other: object) -> bool:
        from bgcheck.recorder.expectation import Expectation

        return other == self if isinstance(other, Expectation) else self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<ScheduledTask {self.name}({self.params.describe()}) {self.outcome}>"


def describe_function(func: object) -> str:
    """Name a callable as a person would: `send`, `Mailer.send`, `<lambda>`.

    Example:
        >>> from functools import partial
        >>> describe_function(partial(print, 1))
        'print'
    """
    while hasattr(func, "func") and hasattr(func, "keywords"):
        func = func.func
    name = getattr(func, "__qualname__", None)
    if not isinstance(name, str):
        name = type(func).__qualname__
    return name.rpartition("<locals>.")[2]


def ordinal(number: int) -> str:
    """Write a number as an English ordinal.

    Example:
        >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 22)]
        ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
