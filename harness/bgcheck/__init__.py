"""A background check for your background tasks.

The names below are imported on first use, so that `import bgcheck` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgcheck.recorder.expectation import Expectation as Expectation
    from bgcheck.recorder.expectation import scheduled as scheduled
    from bgcheck.recorder.log import TaskLog as TaskLog
    from bgcheck.recorder.params import Params as Params
    from bgcheck.recorder.record import Outcome as Outcome
    from bgcheck.recorder.record import ScheduledTask as ScheduledTask
    from bgcheck.recorder.record import Site as Site
    from bgcheck.recorder.request import RequestInfo as RequestInfo
    from bgcheck.recording import record as record
    from bgcheck.runner.controls import BackgroundTasksLog as BackgroundTasksLog

__version__ = "0.1.0"

__all__ = (
    "BackgroundTasksLog",
    "Expectation",
    "Outcome",
    "Params",
    "RequestInfo",
    "ScheduledTask",
    "Site",
    "TaskLog",
    "record",
    "scheduled",
)

if not TYPE_CHECKING:
    _HOMES = {
        "BackgroundTasksLog": "bgcheck.runner.controls",
        "Expectation": "bgcheck.recorder.expectation",
        "Outcome": "bgcheck.recorder.record",
        "Params": "bgcheck.recorder.params",
        "RequestInfo": "bgcheck.recorder.request",
        "ScheduledTask": "bgcheck.recorder.record",
        "Site": "bgcheck.recorder.record",
        "TaskLog": "bgcheck.recorder.log",
        "record": "bgcheck.recording",
        "scheduled": "bgcheck.recorder.expectation",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
