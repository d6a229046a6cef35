"""The `lab` fixture for the tests of the checks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import aiosqlite  # noqa: F401 - inner sessions must not import these anew, which their C parts forbid
import pytest
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite
import sqlalchemy.ext.asyncio
import sqlalchemy.orm  # noqa: F401
from checks_lab import Lab

from support.inner_sessions import collect_garbage, let_leave_garbage

with contextlib.suppress(ImportError):  # httpx knows only the errors of the first that it has met
    import httpcore  # noqa: F401


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take it that planted apps leave things open."""
    let_leave_garbage(item)


@pytest.fixture(autouse=True, scope="module")
def _collect_garbage() -> Iterator[None]:
    yield
    collect_garbage()


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under the checks, but for the one about arguments that cannot travel.

    It is opt-in, and what many an app here has on purpose: iterators, files, sessions, requests.
    """
    return Lab(pytester, ignore="BG311")
