"""The fixtures of bgcheck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from bgcheck import modes

if TYPE_CHECKING:
    from bgcheck.runner.controls import BackgroundTasksLog


@pytest.fixture
def bgtasks(request: pytest.FixtureRequest) -> Iterator[BackgroundTasksLog]:
    """The background tasks scheduled in this test, in order, with assertions on them."""
    verbosity = request.config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS)
    with modes.recorded(request.node, verbosity) as log:
        yield log


@pytest.fixture
def contract_requirement(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Verifies one requirement for a test that `@pytest.mark.contract` marks."""
    from bgcheck.contract import verification

    return verification(request)
