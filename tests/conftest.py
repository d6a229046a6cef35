"""What all tests of this project share: a warning of old stacks, and a look at the hub."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from packaging.version import Version

from bgcheck.instrument.hub import hub

LEAVES_STREAMS_OPEN = Version(version("starlette")) < Version("0.38.6")
"""TestClient of an old Starlette does not close its anyio streams, and newer anyio tells."""


def pytest_configure(config: pytest.Config) -> None:
    """Let old versions of other packages have their faults."""
    if LEAVES_STREAMS_OPEN:
        for line in (
            "ignore:Unclosed <MemoryObject:ResourceWarning",
            "ignore:.*MemoryObject.*:pytest.PytestUnraisableExceptionWarning",
        ):
            config.addinivalue_line("filterwarnings", line)


def pytest_sessionfinish() -> None:
    """Find open streams while the filters above are in force."""
    if LEAVES_STREAMS_OPEN:
        gc.collect()


@pytest.fixture(autouse=True)
def _no_internal_errors() -> Iterator[None]:
    """An error inside bgcheck never reaches a test, so each test looks whether there was one."""
    yield
    errors = list(hub.errors)
    hub.errors.clear()
    for error in errors:
        raise AssertionError("an internal error of bgcheck") from error
