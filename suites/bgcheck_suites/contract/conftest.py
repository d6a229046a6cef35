"""The reference app on a database of its own."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from bgcheck_reference.main import create_app
from bgcheck_reference.settings import Settings

CANCELLED = "ignore:unclosed database in <sqlite3.Connection:ResourceWarning"
"""aiosqlite leaves a connection, while whose opening the task was cancelled, to the collector."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Do not take that for a fault of the app."""
    item.add_marker(pytest.mark.filterwarnings(CANCELLED))


@pytest.fixture(autouse=True, scope="module")
def _let_go() -> Iterator[None]:
    """Collect such connections while the filter above is in force."""
    yield
    gc.collect()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    """The reference app, on SQLite or on the database that `BGCHECK_DATABASE_URL` names."""
    url = os.environ.get("BGCHECK_DATABASE_URL") or f"sqlite:///{tmp_path / 'reference.db'}"
    settings = Settings(
        database_url=url,
        seconds_per_importance=0,
        email_retry_delay=0,
        export_directory=tmp_path / "exports",
        image_directory=tmp_path / "images",
    )
    made = create_app(settings)
    yield made
    anyio.run(made.state.database.dispose)
