"""`bgcheck.recorder.roles`: what is among the arguments of a task."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)
from starlette.background import BackgroundTasks
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse

from bgcheck.recorder.state import capture_call


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class OwnSession(Session): ...


@dataclass
class Service:
    session: Any
    names: list[str] = field(default_factory=list)

    def work(self) -> None: ...


def task(*args: Any, **kwargs: Any) -> None: ...


def roles(*args: Any, func: Any = task, **kwargs: Any) -> set[str]:
    return set(capture_call(func, args, kwargs, name="task").roles)


@pytest.mark.parametrize(
    ("argument", "role"),
    [
        (Session(), "session-argument"),
        (OwnSession(), "session-argument"),
        (AsyncSession(), "async-session-argument"),
        (scoped_session(sessionmaker()), "scoped-session-argument"),
        (sessionmaker(), "session-factory-argument"),
        (async_sessionmaker(), "session-factory-argument"),
        (Order(id=1), "orm-argument"),
        (Request({"type": "http"}), "request-argument"),
        (UploadFile(file=None), "upload-argument"),  # type: ignore[arg-type]
        (JSONResponse({}), "response-argument"),
        (BackgroundTasks(), "group-argument"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_an_argument_has_a_role_wherever_it_stands(argument, role):
    assert roles(argument) == roles(1, key=argument) == {role}
    assert roles([{"inner": argument}]) == {role}
    assert roles(Service(argument)) == roles(func=Service(argument).work) == {role}
    assert roles(func=partial(task, argument)) == {role}


def test_plain_arguments_have_none():
    assert roles(1, "a", [2], when=None) == set()
    assert roles(type("Session", (), {})()) == set()
