"""Record tasks for a block of code: `bgcheck.record()`, and the object behind the fixture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bgcheck.instrument.hub import hub
from bgcheck.instrument.install import install, uninstall
from bgcheck.recorder.log import Recording, TaskLog


class BackgroundTasksLog(TaskLog):
    """The `bgtasks` fixture: the tasks scheduled in this test, and control over how they run."""


@contextmanager
def record() -> Iterator[BackgroundTasksLog]:
    """Record the background tasks of a block, without a fixture: for hypothesis, scripts, unittest.

    Yields:
        The same object as the `bgtasks` fixture.

    Example:
        >>> with record() as bgtasks:
        ...     pass
        >>> len(bgtasks)
        0
    """
    install()
    try:
        recording = Recording()
        with hub.connected(recording):
            yield BackgroundTasksLog(recording)
    finally:
        uninstall()
