"""Snapshots of what FastAPI and SQLAlchemy apps pass to their tasks."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, UploadFile
from sqlalchemy import ForeignKey, create_engine, event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    mapped_column,
    relationship,
    sessionmaker,
)
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.pool import StaticPool
from starlette.datastructures import FormData, Headers, QueryParams, State
from starlette.testclient import TestClient

from bgcheck import scheduled
from bgcheck.recorder.params import Params, take_params


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    biography: Mapped[str] = mapped_column(default="long", deferred=True)
    addresses: Mapped[list["Address"]] = relationship(back_populates="user")


class Address(Base):
    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    street: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(back_populates="addresses")


class DataBase(MappedAsDataclass, DeclarativeBase):
    pass


class Tag(DataBase):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(default="x")


def target(value: Any) -> None: ...


def take(value: Any) -> Params:
    return take_params(target, (value,), {})


@pytest.fixture
def statements() -> list[str]:
    return []


@pytest.fixture
def session(statements: list[str]) -> Iterator[Session]:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(User(id=1, name="Ada", addresses=[Address(id=1, street="a")]))
        session.commit()
        session.expunge_all()
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(str(args[2])))
        yield session
    engine.dispose()


def test_instance_is_copied_with_what_is_loaded(session: Session, statements: Any) -> None:
    user = session.get(User, 1)
    assert user is not None
    statements.clear()
    params = take(user)
    copied = params["value"]
    assert statements == []
    assert type(copied) is User
    assert copied is not user
    assert (copied.id, copied.name) == (1, "Ada")
    assert inspect(copied).detached
    assert inspect(copied).identity == (1,)
    assert params.references == {}
    user.name = "Grace"
    assert copied.name == "Ada"
    session.expire(user)
    assert copied.name == "Ada"


def test_what_is_not_loaded_stays_so(session: Session, statements: Any) -> None:
    user = session.get(User, 1)
    statements.clear()
    copied = take(user)["value"]
    assert statements == []
    with pytest.raises(DetachedInstanceError):
        _ = copied.addresses
    with pytest.raises(DetachedInstanceError):
        _ = copied.biography
    assert user in session
    assert inspect(user).persistent  # type: ignore[union-attr]


def test_expired_instance_loads_nothing(session: Session, statements: Any) -> None:
    user = session.get(User, 1)
    session.expire(user)
    statements.clear()
    take(user)
    assert statements == []


def test_loaded_relationships_are_copied_with_their_cycle(session: Session) -> None:
    user = session.get(User, 1)
    assert user is not None
    address = user.addresses[0]
    assert address.user is user
    copied = take(user)["value"]
    assert copied.addresses[0] is not address
    assert copied.addresses[0].street == "a"
    assert copied.addresses[0].user is copied
    user.addresses.clear()
    assert len(copied.addresses) == 1


def test_instance_equals_the_live_one_and_no_other(session: Session) -> None:
    user = session.get(User, 1)
    params = take({"user": user})
    assert params == {"value": {"user": user}}
    assert params != {"value": {"user": User(id=1, name="Ada")}}


def test_new_instances(session: Session) -> None:
    user = User(name="new")
    copied = take(user)["value"]
    assert copied.name == "new"
    assert inspect(copied).transient
    session.add(user)
    assert inspect(take(user)["value"]).transient
    assert user in session.new


def test_mapped_dataclass() -> None:
    tag = Tag(id=1)
    params = take(tag)
    assert params["value"] is not tag
    assert params["value"].labels == "x"
    assert params == {"value": tag}


def test_sqlmodel() -> None:
    sqlmodel = pytest.importorskip("sqlmodel", reason="this cell has no SQLModel")

    class Hero(sqlmodel.SQLModel, table=True):  # type: ignore[misc,call-arg]
        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        name: str

    class HeroIn(sqlmodel.SQLModel):  # type: ignore[misc]
        names: list[str]

    hero = Hero(id=1, name="a")
    params = take([hero, HeroIn(names=["x"])])
    assert params["value"][0].name == "a"
    assert params["value"][0] is not hero
    assert repr(params["value"][0]) == repr(hero)
    assert params["value"][1] == HeroIn(names=["x"])
    assert params == {"value": [hero, HeroIn(names=["x"])]}
    assert params.references == {}


def test_sessions_engines_and_clients_are_references(session: Session) -> None:
    engine = session.get_bind()
    values = {
        "session": session,
        "engine": engine,
        "factory": sessionmaker(engine),
        "async": AsyncSession(),
        "client": httpx.Client(),
        "state": State(),
    }
    params = take(values)
    assert params["value"] == values
    assert params.references == {
        "value['session']": "Session compares by identity",
        "value['engine']": "Engine compares by identity",
        "value['factory']": "sessionmaker compares by identity",
        "value['async']": "AsyncSession compares by identity",
        "value['client']": "Client compares by identity",
        "value['state']": "State compares by identity",
    }
    values["client"].close()  # type: ignore[attr-defined]
    asyncio.run(values["async"].close())  # type: ignore[attr-defined]


def look(value: Any) -> None: ...


def test_request_and_upload(bgtasks: Any) -> None:
    app = FastAPI()

    @app.post("/")
    async def endpoint(request: Request, file: UploadFile, tasks: BackgroundTasks) -> None:
        tasks.add_task(look, request)
        tasks.add_task(look, file)
        tasks.add_task(look, {"file": file.file})
        tasks.add_task(look, request.headers)
        tasks.add_task(look, request.query_params)
        tasks.add_task(look, await request.form())

    client = TestClient(app)
    assert client.post("/?a=1", files={"file": ("a.txt", b"x")}).status_code == 200
    request, upload, file, headers, query, form = bgtasks
    assert request.params.references == {"value": "Request compares by identity"}
    assert upload.params.references == {"value": "UploadFile compares by identity"}
    assert set(file.params.references) == {"value['file']"}
    assert headers.params.references == {}
    assert isinstance(headers.params["value"], Headers)
    assert query == scheduled(look, QueryParams("a=1"))
    assert isinstance(form.params["value"], FormData)
    assert all("compares by identity" in reason for reason in form.params.references.values())
    assert {task.outcome for task in bgtasks} == {"succeeded"}
