"""The reference app on a database of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateSchema, DropSchema

from bgcheck_reference.main import create_app
from bgcheck_reference.settings import Settings


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """A new database: on SQLite, or a schema of the server that `BGCHECK_DATABASE_URL` names.

    What a fault leaves unfinished would be taken up beside the next test otherwise.
    """
    server = os.environ.get("BGCHECK_DATABASE_URL", "")
    if not server.startswith("postgresql"):
        yield f"sqlite:///{tmp_path / 'reference.db'}"
    else:
        with own_schema(server) as url:
            yield url


@contextmanager
def own_schema(server: str) -> Iterator[str]:
    """Yield the URL of a schema of a PostgreSQL database that ends with the block."""
    url = make_url(server)
    name = f"bgcheck_{uuid4().hex}"
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            connection.execute(CreateSchema(name))
        inside = url.update_query_dict({"options": f"-csearch_path={name}"})
        yield inside.render_as_string(hide_password=False)
        # A way as documented may have left a transaction open, which would be waited for.
        with suppress(OperationalError), engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            connection.execute(DropSchema(name, cascade=True))
    finally:
        engine.dispose()


@pytest.fixture
def app(tmp_path: Path, database_url: str) -> Iterator[Any]:
    """The reference app, which takes up nothing while a test runs."""
    settings = Settings(
        database_url=database_url,
        seconds_per_importance=0,
        email_retry_delay=0,
        job_sweep_seconds=86_400,
        export_directory=tmp_path / "exports",
        image_directory=tmp_path / "images",
    )
    made = create_app(settings)
    yield made
    anyio.run(made.state.database.dispose)
