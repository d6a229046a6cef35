"""What is verified: an app, one request that schedules tasks, and what the adopter says of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

BACKENDS = ("asyncio", "trio")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class SubjectError(ValueError):
    """What the adopter gave cannot be used; the message says what to write instead."""


@dataclass(frozen=True)
class RequestSpec:
    """One request: `POST /items/1`, with a body and headers.

    Attributes:
        line: method and path, such as `POST /items/1?dry=1`.
        json: the body as JSON, None for none.
        data: a form, or the raw body.
        files: uploads, as the client library takes them.
        headers: headers of the request.
    """

    line: str
    json: Any = None
    data: Any = None
    files: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        method, _, path = self.line.partition(" ")
        if method.upper() not in METHODS or not path.startswith("/"):
            raise SubjectError(
                f"{self.line!r} is no request: write a method and a path, such as 'POST /items/1'"
            )

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return self.line.partition(" ")[0].upper()

    @property
    def url(self) -> str:
        """The path with its query."""
        return self.line.partition(" ")[2]

    def options(self) -> dict[str, Any]:
        """Return the arguments of the client's `request`, without method and URL."""
        given: dict[str, Any] = {"json": self.json, "files": self.files}
        given["content" if isinstance(self.data, (str, bytes)) else "data"] = self.data
        named = {name: value for name, value in given.items() if value is not None}
        return {**named, "headers": dict(self.headers)}

    def changed(self, **changes: Any) -> "RequestSpec":
        """Return the request with other parts."""
        return replace(self, **changes)


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Subject:
    """An app and its request, with what can be overridden.

    Attributes:
        app: the ASGI application.
        request: the request that schedules tasks.
        tasks: the names of the tasks that are expected, in order; None for whatever is scheduled.
        invalid: requests that the app must refuse, besides those derived from its schema.
        probe: returns more of the app's state: numbers, lists and dicts.
        prepare: called before each request; may return a line, or what differs, to send instead.
        is_recorded: tells whether the app has recorded a failure, where it does so elsewhere.
        slow_tasks: the names of async tasks that may hold the event loop for long by computing.
        ignore_engines: database engines not to look at.
        timeout: seconds of real time that a request and its tasks may take.
        seeds: how many orders of two overlapping requests are tried.
        backend: the event loop that the app runs on, `asyncio` or `trio`.
    """

    app: Any
    request: RequestSpec
    tasks: Sequence[str] | None = None
    invalid: Sequence[RequestSpec] = ()
    probe: Callable[[], Any] = _nothing
    prepare: Callable[[], object] = _nothing
    is_recorded: Callable[[], bool] = lambda: False
    slow_tasks: Sequence[str] = ()
    ignore_engines: Sequence[Any] = ()
    timeout: float = 10.0
    seeds: int = 6
    backend: str = "asyncio"

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise SubjectError(
                f"{self.backend!r} is no backend; there are {', '.join(map(repr, BACKENDS))}"
            )


def subject_of(
    app: Any,
    request: RequestSpec,
    invalid: Sequence[str | Mapping[str, Any] | RequestSpec] = (),
    **overrides: Any,
) -> Subject:
    """Return what is verified, from what an adopter writes.

    Args:
        app: the application.
        request: the request that schedules tasks.
        invalid: requests to refuse: a line, or what differs from the request.
        overrides: other attributes of `Subject`.

    Raises SubjectError for an attribute that does not exist.
    """
    names = [one.name for one in fields(Subject) if one.name not in ("app", "request")]
    for name in overrides:
        if name not in names:
            raise SubjectError(f"{name!r} is no option; there are {', '.join(names)}")
    refused = [variant(request, one, "invalid") for one in invalid]
    return Subject(app, request, invalid=refused, **overrides)


def variant(request: RequestSpec, given: object, option: str) -> RequestSpec:
    """Return a request with what differs: a line, some of its parts, or all of them.

    Raises SubjectError, which names the option, where it is none of these.
    """
    if isinstance(given, RequestSpec):
        return given
    changes = {"line": given} if isinstance(given, str) else given
    names = [one.name for one in fields(RequestSpec)]
    if not isinstance(changes, Mapping) or not set(changes) <= set(names):
        raise SubjectError(f"{option}: {given!r} is no request; its keys are {', '.join(names)}")
    return request.changed(**changes)
