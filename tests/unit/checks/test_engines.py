"""`bgcheck.checks.engines`: which engines a dependency or an override leads to."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from bgcheck.checks.engines import engines_of

engine = create_engine("sqlite:///app.db")
async_engine = create_async_engine("sqlite+aiosqlite:///app.db")
factory = sessionmaker(engine)
async_factory = async_sessionmaker(async_engine)
scoped = scoped_session(factory)
pool = engine.pool


class Database:
    def __init__(self) -> None:
        self.factory = factory

    def session(self) -> Session:
        return self.factory()


database = Database()


@functools.lru_cache
def cached() -> sessionmaker[Session]:
    return factory


LEADS: dict[str, Callable[..., object]] = {
    "engine": lambda: engine.connect(),
    "factory": lambda: factory(),
    "scoped": lambda: scoped(),
    "method": database.session,
    "object": lambda: database.session(),
    "function": lambda: cached()(),
    "partial": functools.partial(Session, engine),
    "default": lambda db=factory: db(),
}


@pytest.mark.parametrize("function", LEADS.values(), ids=LEADS)
def test_leads_to_the_engine(function: Callable[..., object]) -> None:
    found = engines_of(function)
    assert pool in found.pools
    assert found.urls == {"sqlite:///app.db"}


def test_async_engine() -> None:
    assert async_engine.pool in engines_of(lambda: async_factory()).pools


def test_closure() -> None:
    other = create_engine("sqlite://")
    found = engines_of(lambda: Session(other))
    assert found.pools == [other.pool]
    assert found.urls == set()


def test_nothing() -> None:
    assert not engines_of(lambda: None)
    assert not engines_of(len)
