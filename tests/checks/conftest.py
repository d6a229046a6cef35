"""The `lab` fixture for the tests of the checks."""

from __future__ import annotations

import contextlib

import aiosqlite  # noqa: F401 - inner sessions must not import these anew, which their C parts forbid
import pytest
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite
import sqlalchemy.ext.asyncio
import sqlalchemy.orm  # noqa: F401
from checks_lab import Lab

with contextlib.suppress(ImportError):  # httpx knows only the errors of the first that it has met
    import httpcore  # noqa: F401


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under the checks, but for the one about arguments that cannot travel.

    It is opt-in, and what many an app here has on purpose: iterators, files, sessions, requests.
    """
    return Lab(pytester, ignore="BG311")
