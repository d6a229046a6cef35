"""The reference app on a database of its own, and a client for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from bgcheck_reference.db import Database
from bgcheck_reference.main import create_app
from bgcheck_reference.settings import Settings
from bgcheck_suites.lab import InProcess


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The reference app, with an empty SQLite database and no waiting."""
    return create_app(
        Settings(
            database_url=f"sqlite:///{tmp_path / 'reference.db'}",
            seconds_per_importance=0,
            email_retry_delay=0,
        )
    )


@pytest.fixture
def database(app: FastAPI) -> Database:
    """The database of the app."""
    found: Database = app.state.database
    return found


@pytest.fixture
def client(app: FastAPI) -> Iterator[Any]:
    """A client in process. It does not raise what a task raised: the record of the task has it."""
    with InProcess.client(app) as test_client:
        yield test_client
