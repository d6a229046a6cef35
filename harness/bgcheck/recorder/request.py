"""The request that scheduled a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgcheck.recorder.failure import Failure
    from bgcheck.recorder.record import ScheduledTask

_SHARED: Final = ("headers", "extensions", "state", "app", "router")
"""Values of an ASGI scope that are made for one request, or that only a passed-on scope has."""


class Around(NamedTuple):
    """What the application has around a request: the route's template, and patterns of its use."""

    route: str | None
    patterns: frozenset[str]


NOTHING_AROUND: Final = Around(None, frozenset())


class RequestInfo:
    """The request that scheduled a task: method, path, route template and number in the test.

    Example:
        >>> request = RequestInfo(method="POST", path="/items/42", number=2)
        >>> str(request)
        'POST /items/42, 2nd request'
    """

    # What most requests never set costs a request nothing as a default of the class.
    response_status: int | None = None
    response_complete: bool = False
    finished: bool = False
    eventful: bool = False
    """Something has happened in it that an instrument tells of."""
    error: BaseException | None = None
    failure: Failure | None = None
    error_delivered: bool = False
    around: Around | None = None
    called: tuple[Any, ...] = ()
    """The groups that were called in it while only the checks watch, until it is over."""

    def __init__(
        self,
        method: str,
        path: str,
        number: int,
        recording: int = 0,
        scope: Mapping[str, Any] | None = None,
        root_path: str = "",
    ) -> None:
        self.method: str = method
        self.path: str = path
        self.number: int = number
        self.recording: int = recording
        self.scope: Mapping[str, Any] | None = scope
        """The ASGI scope, until the application call is over."""
        self.root_path: str = root_path
        """The root path before routing."""
        self.tasks: list[ScheduledTask] = []

    @property
    def route(self) -> str | None:
        """The path template of the route that answered, such as `/items/{item_id}`."""
        around = self.around or self._look()
        return around.route

    @property
    def patterns(self) -> frozenset[str]:
        """In which ways the application answers it, such as `def-yield-dependency`."""
        around = self.around or self._look()
        return around.patterns

    def _look(self) -> Around:
        """Look at what routing has put into the scope; once it is there it does not change."""
        if self.scope is None:
            return NOTHING_AROUND
        around = self.look_around(self.scope)
        if around.route is not None and around.patterns:
            self.around = around
        return around

    def look_around(self, scope: Mapping[str, Any]) -> Around:
        """Tell what is around this request, as far as its scope says now."""
        return NOTHING_AROUND

    def belongs_to(self, scope: Mapping[str, Any]) -> bool:
        """Whether an application call with this scope is part of this request.

        Middleware may hand on a copy of the scope with, say, other headers; a copy still shares
        what the server or the application put there.
        """
        mine = self.scope
        if mine is None:
            return False
        return scope is mine or any(
            key in scope and scope[key] is mine.get(key, self) for key in _SHARED
        )

    def finish(self, error: BaseException | None, *, keep: bool = True) -> None:
        """Note that the application call is over, and let go of its scope.

        Args:
            error: what the call raised.
            keep: keep the error, and so all that its frames hold.
        """
        if self.tasks and self.around is None:
            self.around = self._look()  # while the scope is alive
        self.scope = None
        self.error = error if keep else None
        self.finished = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}, {ordinal(self.number)} request"

    def __repr__(self) -> str:
        return f"<RequestInfo {self}>"


def ordinal(number: int) -> str:
    """Write a number as an English ordinal.

    Example:
        >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 22)]
        ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
