"""What the checks of BG4 share."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from bgcheck.checks.base import Check

if TYPE_CHECKING:
    from bgcheck.recorder.database import ConnectionInfo
    from bgcheck.recorder.record import Site
    from bgcheck.recorder.request import RequestInfo

Evidence: TypeAlias = "tuple[str, str | Site]"
"""A line of evidence: label, and text or place."""


class DatabaseCheck(Check):
    """A check that needs SQLAlchemy 2."""

    instruments: ClassVar[tuple[str, ...]] = ("sqlalchemy",)

    def absent(self) -> str | None:
        """Return what was missing in this session, or None."""
        from bgcheck.instrument.sqlalchemy import absence

        return absence()


class Connections:
    """The connections that requests under way have taken, in order. Let go of by `pop`."""

    def __init__(self) -> None:
        self._taken: defaultdict[RequestInfo, list[ConnectionInfo]] = defaultdict(list)

    def add(self, connection: ConnectionInfo) -> None:
        """Note a connection of a request that is not over."""
        if connection.request is not None and not connection.request.finished:
            self._taken[connection.request].append(connection)

    def of(self, request: RequestInfo | None) -> list[ConnectionInfo]:
        """Return the connections of a request."""
        return self._taken.get(request, []) if request is not None else []

    def pop(self, request: RequestInfo) -> list[ConnectionInfo]:
        """Return the connections of a request that is over, and forget them."""
        return self._taken.pop(request, [])
