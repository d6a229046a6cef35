"""The fixtures of bgcheck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bgcheck.recording import BackgroundTasksLog


@pytest.fixture
def bgtasks(request: pytest.FixtureRequest) -> Iterator[BackgroundTasksLog]:
    """The background tasks scheduled in this test, in order, with assertions on them."""
    from bgcheck.recording import record

    with record() as log:
        log.recording.verbosity = request.config.get_verbosity()
        yield log
