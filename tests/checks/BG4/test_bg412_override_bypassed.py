"""BG412: the task uses another engine than the test's dependency override gives."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC, SYNC

ENDPOINT = """
def work():
    with SessionLocal() as db:
        db.get(User, 1)

@app.post("/orders")
def create(tasks: BackgroundTasks, db=Depends(get_db)):
    tasks.add_task(work)
"""
OTHER = """
other = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
Base.metadata.create_all(other)
TestingSession = sessionmaker(other)

def get_test_db():
    with TestingSession() as db:
        yield db
"""
TEST = """
@pytest.fixture
def client():
    app.dependency_overrides[get_db] = %s
    with TestClient(app) as client:
        yield client
    app.dependency_overrides.clear()
    other.dispose()

def test_it(client):
    client.post("/orders")
"""

OVERRIDES = {
    "generator": "get_test_db",
    "session of the fixture": "(lambda db: lambda: db)(TestingSession())",
}


@pytest.mark.parametrize("override", OVERRIDES.values(), ids=OVERRIDES)
def test_task_uses_the_application_engine(lab: Lab, override: str) -> None:
    app = SYNC + OTHER + ENDPOINT
    finding = lab.assert_found("BG412", app, test=TEST % override, line="add_task(work)")
    assert "app.db" in dict(finding["evidence"])["task uses"]


def test_async(lab: Lab) -> None:
    app = f"""{ASYNC}
async def work():
    async with SessionLocal() as db:
        await db.get(User, 1)

other = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
TestingSession = async_sessionmaker(other)

async def get_test_db():
    async with TestingSession() as db:
        yield db

@app.post("/orders")
async def create(tasks: BackgroundTasks, db=Depends(get_db)):
    tasks.add_task(work)
"""
    test = TEST.replace("    other.dispose()\n", "    asyncio.run(other.dispose())\n")
    lab.assert_found("BG412", app, test=test % "get_test_db", line="add_task(work)")


def test_factory_that_follows_the_override(lab: Lab) -> None:
    endpoint = ENDPOINT.replace("work():", "work(factory):").replace("SessionLocal()", "factory()")
    app = SYNC + OTHER + endpoint.replace("add_task(work)", "add_task(work, sessionmaker(db.bind))")
    lab.assert_silent(app, test=TEST % "get_test_db")


SILENT = {
    "no engine in the override": "lambda: None",
    "same engine": "lambda: None or SessionLocal and None",
}


@pytest.mark.parametrize("override", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, override: str) -> None:
    lab.assert_silent(SYNC + OTHER + ENDPOINT, test=TEST % override)


def test_database_that_no_override_is_about(lab: Lab) -> None:
    logs = """
logs = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)

def work():
    with Session(logs) as db:
        db.execute(select(1))
"""
    app = SYNC + OTHER + ENDPOINT + logs
    test = TEST.replace("other.dispose()", "other.dispose(); logs.dispose()")
    lab.assert_silent(app, test=test % "get_test_db")


def test_no_override(lab: Lab) -> None:
    lab.assert_silent(SYNC + ENDPOINT, "POST /orders")
