"""BG401: a connection still taken when the request and its tasks are over."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from database_apps import ASYNC, SYNC

FAULTY = {
    "session of a task": "session = SessionLocal(); session.execute(select(1))",
    "session with a class of its own": "session = Session(engine); session.execute(select(1))",
    "connection of a statement": "engine.connect().execute(select(1))",
    "connection that is kept": "kept.append(engine.connect())",
    "raw connection that is kept": "kept.append(engine.raw_connection())",
    "closed only where all goes well": (
        "session = SessionLocal()\ntry:\n    session.execute(text('SELECT nothing'))\n"
        "    session.close()\nexcept Exception as error:\n    print('failed', error)"
    ),
    "scoped session that nobody removes": "scoped_session(SessionLocal)().execute(select(1))",
}


def sync_task(body: str) -> str:
    return f"{SYNC}\nkept = []\ndef work():\n{indent(body, '    ')}\n"


def async_task(body: str) -> str:
    return f"{ASYNC}\nasync def work():\n{indent(body, '    ')}\n"


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_left_open_by_a_task(lab: Lab, body: str) -> None:
    app = sync_task(body) + endpoint("tasks.add_task(work)")
    lab.assert_found("BG401", app, "POST /orders", line="add_task(work)")


def test_evidence_names_where_the_session_was_opened(lab: Lab) -> None:
    app = sync_task("session = SessionLocal(); session.execute(select(1))")
    finding = lab.assert_found("BG401", app + endpoint("tasks.add_task(work)"), "POST /orders")
    labels = [label for label, _ in finding["evidence"]]
    assert labels[:2] == ["database", "session opened"]
    assert dict(finding["evidence"])["session opened"].endswith(" in work")
    assert finding["request"] == {"method": "POST", "path": "/orders", "route": "/orders"}


ASYNC_FAULTY = {
    "session": "session = SessionLocal(); await session.execute(select(1))",
    "connection": "connection = await engine.connect()",
}


@pytest.mark.parametrize("body", ASYNC_FAULTY.values(), ids=ASYNC_FAULTY)
def test_left_open_by_an_async_task(lab: Lab, body: str) -> None:
    app = async_task(body) + endpoint("tasks.add_task(work)")
    lab.assert_found("BG401", app, "POST /orders", line="add_task(work)")


def test_left_open_by_a_dependency(lab: Lab) -> None:
    app = f"""{SYNC}
def get_open():
    return SessionLocal()

@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_open)):
    db.execute(select(1))
    tasks.add_task(print)
"""
    finding = lab.assert_found("BG401", app, "POST /orders")
    assert "return SessionLocal()" in lab._source_line(finding)


SILENT = {
    "closed": "session = SessionLocal(); session.execute(select(1)); session.close()",
    "with": "with SessionLocal() as session:\n    session.execute(select(1))",
    "begin": "with SessionLocal.begin() as session:\n    session.add(User(id=2, name='bob'))",
    "with connection": "with engine.connect() as connection:\n    connection.execute(select(1))",
    "connection that goes at once": "engine.connect()",
    "committed": "session = SessionLocal(); session.execute(select(1)); session.commit()",
    "never used": "session = SessionLocal()",
    "raw connection": "connection = engine.raw_connection(); connection.close()",
    "removed": "scope = scoped_session(SessionLocal); scope.execute(select(1)); scope.remove()",
    "detached": "connection = engine.connect(); connection.detach(); connection.close()",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    lab.assert_silent(sync_task(body) + endpoint("tasks.add_task(work)"), "POST /orders")


@pytest.mark.parametrize("pool", ["NullPool", "StaticPool", "QueuePool"])
def test_silent_on_every_pool(lab: Lab, pool: str) -> None:
    app = sync_task("with Session(other) as session:\n    session.execute(select(1))")
    app += (
        f"other = create_engine('sqlite://', poolclass={pool}, "
        "connect_args={'check_same_thread': False})\n"
    )
    test = """
    def test_it():
        with TestClient(app) as client:
            client.post("/orders")
        other.dispose()
    """
    lab.assert_silent(app + endpoint("tasks.add_task(work)"), test=test)


ASYNC_SILENT = {
    "with": "async with SessionLocal() as session:\n    await session.execute(select(1))",
    "begin": "async with SessionLocal.begin() as session:\n    session.add(User(id=2, name='b'))",
    "connection": "async with engine.connect() as own:\n    await own.scalar(select(1))",
}


@pytest.mark.parametrize("body", ASYNC_SILENT.values(), ids=ASYNC_SILENT)
def test_silent_async(lab: Lab, body: str) -> None:
    lab.assert_silent(async_task(body) + endpoint("tasks.add_task(work)"), "POST /orders")


def test_sessions_of_fixtures(lab: Lab) -> None:
    app = f"""{SYNC}
def work(session):
    session.execute(select(1))

@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_db)):
    db.execute(select(User))
    tasks.add_task(work, db)
"""
    test = """
    @pytest.fixture
    def session():
        session = SessionLocal()
        app.dependency_overrides[get_db] = lambda: session
        yield session
        app.dependency_overrides.clear()
        session.close()

    def test_it(session):
        with TestClient(app) as client:
            client.post("/orders")
    """
    lab.assert_silent(app, test=test)


def test_connection_of_the_lifespan(lab: Lab) -> None:
    app = f"""{SYNC}
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan(app):
    with engine.connect() as app.state.connection:
        yield

app = FastAPI(lifespan=lifespan)

def work():
    app.state.connection.execute(select(1))
"""
    lab.assert_silent(app + endpoint("tasks.add_task(work)"), "POST /orders")


def test_connection_that_the_application_keeps(lab: Lab) -> None:
    app = f"""{SYNC}
shared = None

def work():
    global shared
    shared = shared or engine.connect()
    shared.execute(select(1))
"""
    test = """
    def test_it():
        with TestClient(app) as client:
            client.post("/orders")
            client.post("/orders")
        shared.close()
    """
    lab.assert_silent(app + endpoint("tasks.add_task(work)"), test=test)
