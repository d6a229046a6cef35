"""The `lab` fixture for the tests of the checks."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

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


HERE = Path(__file__).parent


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take it that planted apps leave things open."""
    let_leave_garbage(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Let go of what the tests of a module have left, once the last of them is over."""
    result = yield
    if item.path.is_relative_to(HERE) and (nextitem is None or nextitem.path != item.path):
        collect_garbage()
    return result


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under the checks, but for the one about arguments that cannot travel.

    It is opt-in, and what many an app here has on purpose: iterators, files, sessions, requests.
    """
    return Lab(pytester, ignore="BG311")
