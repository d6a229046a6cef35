"""Who slept how long, and where."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType

from bgcheck.recorder.record import Site

_MACHINERY = frozenset(
    {
        "anyio",
        "asyncio",
        "bgcheck",
        "concurrent",
        "contextlib",
        "functools",
        "stamina",
        "starlette",
        "tenacity",
        "threading",
        "trio",
        "uvloop",
    }
)
"""Top-level packages between user code and the sleep; the line that matters is above them."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """One sleep in virtual time."""

    task: str
    """Label of the task that slept; empty outside tasks (`scope="all"`)."""
    call: str
    """`time.sleep`, `asyncio.sleep` or `trio.sleep`; anyio's is the one of its backend."""
    seconds: float
    """How long the sleep was asked to be."""
    at: float
    """`clock.now` when it began."""
    site: Site | None
    """The line of user code that slept, or that called the retry library which did."""

    def __str__(self) -> str:
        who = self.task or "code outside tasks"
        where = f" ({self.site})" if self.site else ""
        return f"{who}: {self.call}({self.seconds:g}) at {self.at:g}{where}"


def sleep_site() -> Site | None:
    """Return the innermost frame of user code on the stack of the caller."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and _is_machinery(frame):
        frame = frame.f_back
    if frame is None:
        return None
    code = frame.f_code
    function = getattr(code, "co_qualname", code.co_name).rpartition("<locals>.")[2]
    return Site(code.co_filename, frame.f_lineno, function)


def _is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _MACHINERY
