"""The engine of a pool, known from SQLAlchemy's events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool

from bgcheck.instrument import sqlalchemy as instrument
from bgcheck.instrument.hub import hub
from bgcheck.instrument.sqlalchemy_connections import engine_of


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    instrument.install()
    with hub.connected([].append):
        yield
    instrument.uninstall()


def test_an_engine_is_known_once_it_has_connected_and_also_after_it_was_disposed() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool)
    with engine.connect():
        assert engine_of(engine.pool) is engine
    first = engine.pool
    engine.dispose()
    assert engine.pool is not first
    assert engine_of(engine.pool) is engine


def test_what_belongs_to_no_engine_has_none() -> None:
    assert engine_of(object()) is None
