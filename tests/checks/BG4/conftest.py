"""The `lab` fixture for apps that hand sessions to tasks, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from checks_lab import Lab

from support.postgresql import server


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under the checks, but for the one about arguments that cannot travel."""
    return Lab(pytester, ignore="BG311")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a server with psycopg and asyncpg to talk to it, or else a skip."""
    for driver in ("psycopg", "asyncpg"):
        pytest.importorskip(driver)
    with server() as url:
        yield url
