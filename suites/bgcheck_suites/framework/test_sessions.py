"""SQLAlchemy sessions of each scope, as a task finds them."""

from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import QueuePool
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bgcheck_suites.apps import TaskError
from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import InProcess, Lab
from bgcheck_suites.marks import requirement
from bgcheck_suites.probing import depends_accepts
from bgcheck_suites.tables import Base, Item, first_item, state_of

Dependency = Any


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database in a file, with a pool of connections and one item."""
    engine = create_engine(f"sqlite:///{tmp_path / 'probe.db'}", poolclass=QueuePool)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(first_item())
    yield engine
    engine.dispose()


@pytest.fixture
def maker(engine: Engine) -> sessionmaker[Session]:
    """The session factory of an app."""
    return sessionmaker(engine)


def closing(maker: sessionmaker[Session]) -> Dependency:
    """Return the dependency that opens a session and closes it."""

    def session() -> Iterator[Session]:
        with maker() as opened:
            yield opened

    return session


def committing(maker: sessionmaker[Session]) -> Dependency:
    """Return the dependency that commits after its yield, and rolls back after an error."""

    def session() -> Iterator[Session]:
        with maker.begin() as opened:
            yield opened

    return session


def session_app(dependency: Dependency, handle: Any) -> FastAPI:
    """Return an app whose endpoint hands the session of a dependency to `handle`."""
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, session: Annotated[Any, Depends(dependency)]) -> None:
        handle(session, tasks)

    return app


def state_in_task(lab: Lab, log: Log, dependency: Dependency) -> str:
    """Say in which state a task finds the session of its request."""

    def task(session: Session) -> None:
        log.mark("task", state_of(session))

    def handle(session: Session, tasks: BackgroundTasks) -> None:
        session.scalars(select(Item)).all()
        tasks.add_task(task, session)

    lab.send(session_app(dependency, handle)).settle()
    return str(log.first("task").value)


@requirement("BGF-SESSION-01")
def test_the_session_of_a_yield_dependency(
    lab: Lab, log: Log, maker: sessionmaker[Session], observe: Observe
) -> None:
    observe(state_in_task(lab, log, closing(maker)))


@requirement("BGF-SESSION-02")
def test_the_session_of_a_dependency_of_scope_function(
    in_process: InProcess, log: Log, maker: sessionmaker[Session], observe: Observe
) -> None:
    if not depends_accepts("scope"):
        return observe("not supported")
    depends: Any = Depends
    inner = depends(closing(maker), scope="function")

    def session(opened: Any = inner) -> Any:
        return opened

    return observe(state_in_task(in_process, log, session))


def fate_of_item(lab: Lab, log: Log, maker: sessionmaker[Session], read: Any) -> str:
    """Hand an item of a committed session to a task that reads something of it."""

    def task(item: Item) -> None:
        try:
            log.mark("task", f"reads {read(item)}")
        except SQLAlchemyError as error:
            log.mark("task", f"raises {type(error).__name__}")

    def handle(session: Session, tasks: BackgroundTasks) -> None:
        item = session.scalars(select(Item)).one()
        session.commit()
        tasks.add_task(task, item)

    lab.send(session_app(closing(maker), handle)).settle()
    return str(log.first("task").value)


@requirement("BGF-SESSION-03")
def test_an_object_that_was_committed(
    lab: Lab, log: Log, maker: sessionmaker[Session], observe: Observe
) -> None:
    observe(fate_of_item(lab, log, maker, lambda item: item.name))


@requirement("BGF-SESSION-04")
def test_an_object_that_does_not_expire(
    in_process: InProcess, log: Log, engine: Engine, observe: Observe
) -> None:
    maker = sessionmaker(engine, expire_on_commit=False)
    observe(fate_of_item(in_process, log, maker, lambda item: item.name))


@requirement("BGF-SESSION-05")
def test_a_relationship_that_was_not_loaded(
    lab: Lab, log: Log, engine: Engine, observe: Observe
) -> None:
    maker = sessionmaker(engine, expire_on_commit=False)
    observe(fate_of_item(lab, log, maker, lambda item: f"{len(item.parts)} part"))


def find(maker: sessionmaker[Session], name: str) -> str:
    """Say whether a session of its own finds an item."""
    with maker() as session:
        found = session.scalars(select(Item).where(Item.name == name)).all()
    return "found" if found else "not found"


@requirement("BGF-SESSION-06")
def test_a_task_with_a_session_of_its_own_sees_what_was_committed(
    lab: Lab, log: Log, maker: sessionmaker[Session]
) -> None:
    def handle(session: Session, tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: log.mark("task", find(maker, "second")))
        session.add(Item(name="second"))
        session.commit()

    lab.send(session_app(closing(maker), handle)).settle()
    same("The task did not find what was committed.", log.first("task").value, "found")


@requirement("BGF-SESSION-07")
def test_what_a_dependency_commits_after_its_yield(
    lab: Lab, log: Log, maker: sessionmaker[Session], observe: Observe
) -> None:
    def handle(session: Session, tasks: BackgroundTasks) -> None:
        session.add(Item(name="second"))
        tasks.add_task(lambda: log.mark("task", find(maker, "second")))

    lab.send(session_app(committing(maker), handle)).settle()
    observe(str(log.first("task").value))


@requirement("BGF-SESSION-08")
def test_what_a_request_wrote_when_its_task_fails(
    lab: Lab, maker: sessionmaker[Session], observe: Observe
) -> None:
    def task() -> None:
        raise TaskError("no")

    def handle(session: Session, tasks: BackgroundTasks) -> None:
        session.add(Item(name="second"))
        tasks.add_task(task)

    lab.send(session_app(committing(maker), handle)).end().answered()
    kept = find(maker, "second") == "found"
    observe("committed" if kept else "rolled back, although the client got its 200")


@requirement("BGF-SESSION-09")
def test_what_a_task_writes_to_the_session_of_its_request(
    lab: Lab, maker: sessionmaker[Session], observe: Observe
) -> None:
    def task(session: Session) -> None:
        session.add(Item(name="second"))
        session.flush()

    def handle(session: Session, tasks: BackgroundTasks) -> None:
        tasks.add_task(task, session)

    def session() -> Iterator[Session]:
        with maker() as opened:
            yield opened
            opened.commit()

    lab.send(session_app(session, handle)).settle()
    observe("committed" if find(maker, "second") == "found" else "lost")


@requirement("BGF-SESSION-10")
def test_the_connection_of_a_request_while_its_tasks_run(
    lab: Lab, log: Log, engine: Engine, maker: sessionmaker[Session], observe: Observe
) -> None:
    pool: Any = engine.pool

    def handle(session: Session, tasks: BackgroundTasks) -> None:
        session.scalars(select(Item)).all()
        tasks.add_task(lambda: log.mark("task", pool.checkedout()))

    lab.send(session_app(closing(maker), handle)).settle()
    held = log.first("task").value
    observe("held" if held else "back in the pool")


@requirement("BGF-SESSION-11")
def test_a_scoped_session_of_the_thread(
    in_process: InProcess, maker: sessionmaker[Session], observe: Observe
) -> None:
    observe(scoped(in_process, scoped_session(maker)))


REQUEST: ContextVar[object] = ContextVar("REQUEST", default=None)


@requirement("BGF-SESSION-12")
def test_a_scoped_session_of_a_context_variable(
    in_process: InProcess, maker: sessionmaker[Session], observe: Observe
) -> None:
    observe(scoped(in_process, scoped_session(maker, scopefunc=REQUEST.get)))


def scoped(lab: Lab, registry: scoped_session[Session]) -> str:
    """Say whether an async endpoint and its `def` task share the session of a registry."""
    seen: list[Session] = []
    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        REQUEST.set("of this request")
        seen.append(registry())
        tasks.add_task(lambda: seen.append(registry()))

    lab.send(app).settle()
    return "the session of its endpoint" if seen[0] is seen[1] else "another session"


def middleware_app(found: list[str]) -> tuple[FastAPI, list[Session]]:
    """Return an app whose task looks at the session that a middleware put into the list."""
    sessions: list[Session] = []

    def task(session: Session) -> None:
        found.append(state_of(session))

    def handle(session: Session, tasks: BackgroundTasks) -> None:
        session.scalars(select(Item)).all()
        tasks.add_task(task, session)

    return session_app(lambda: sessions[-1], handle), sessions


@requirement("BGF-SESSION-13")
def test_the_session_of_an_asgi_middleware(lab: Lab, maker: sessionmaker[Session]) -> None:
    found: list[str] = []
    app, sessions = middleware_app(found)

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        with maker() as session:
            sessions.append(session)
            await app(scope, receive, send)

    lab.send(middleware).settle()
    same("The session was closed before the task.", found, ["open, in its transaction"])


@requirement("BGF-SESSION-17")
def test_the_session_of_a_base_http_middleware(
    lab: Lab, maker: sessionmaker[Session], observe: Observe
) -> None:
    found: list[str] = []
    app, sessions = middleware_app(found)

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        with maker() as session:
            sessions.append(session)
            return await call_next(request)

    lab.send(BaseHTTPMiddleware(app, dispatch=dispatch)).settle()
    observe(found[0])
