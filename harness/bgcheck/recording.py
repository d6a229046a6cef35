"""Record tasks for a block of code: `bgcheck.record()`, and what the fixture is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bgcheck.instrument.hub import hub
from bgcheck.instrument.install import install, uninstall
from bgcheck.runner.controls import BackgroundTasksLog, RunnerRecording

if TYPE_CHECKING:
    from bgcheck.runner.blocks import Mode


@contextmanager
def record(mode: Mode = "inline") -> Iterator[BackgroundTasksLog]:
    """Record the background tasks of a block, without a fixture: for hypothesis, scripts, unittest.

    Args:
        mode: how tasks run: `inline`, `hold` or `drop`.

    Yields:
        The same object as the `bgtasks` fixture.

    Raises:
        ValueError: there is no such mode.

    Example:
        >>> with record() as bgtasks:
        ...     pass
        >>> len(bgtasks)
        0
    """
    install()
    try:
        recording = RunnerRecording()
        sinks = hub.connected(recording), hub.connected(recording.runner)
        with sinks[0], sinks[1], _policy(recording, mode):
            yield BackgroundTasksLog(recording)
    finally:
        uninstall()


@contextmanager
def _policy(recording: RunnerRecording, mode: Mode) -> Iterator[None]:
    runner = recording.runner
    outer, hub.policy = hub.policy, runner
    try:
        with runner.in_mode(mode):
            yield
    finally:
        hub.policy = outer
        runner.close()
