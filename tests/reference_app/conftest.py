"""The reference app on a temporary SQLite file, in process and behind a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from reference_lab import CommitError, Live, listening, running, started_client
from sqlalchemy.orm import Session

from bgcheck_reference.db import Database
from bgcheck_reference.main import create_app
from bgcheck_reference.settings import Settings


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Where the app keeps its data; a module may override it."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with a database of the test's own, and no waiting."""
    return Settings(
        database_url=database_url,
        seconds_per_importance=0,
        email_retry_delay=0,
        export_directory=tmp_path / "exports",
        image_directory=tmp_path / "images",
    )


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The reference app."""
    return create_app(settings)


@pytest.fixture
def database(app: FastAPI) -> Database:
    """The database of the app."""
    return app.state.database


@pytest.fixture
def client(app: FastAPI) -> Iterator[Any]:
    """A client in process, whose requests end after the last task."""
    with started_client(app) as test_client:
        yield test_client


@pytest.fixture
def live(app: FastAPI) -> Iterator[Live]:
    """The app behind a real uvicorn, which answers before the tasks run."""
    with running(app) as served:
        yield served


@pytest.fixture
def failing_commit(client: Any) -> Iterator[None]:
    """Make every commit of a session fail, after it has sent its changes to the database.

    Needs the client, whose app commits when it starts.
    """

    def fail(session: Session) -> None:
        session.flush()
        raise CommitError

    with listening(Session, "before_commit", fail):
        yield
