"""BG411: an async engine or connection used on another event loop."""

from __future__ import annotations

import pytest
from checks_lab import Lab
from database_apps import ASYNC

WORK = """
async def count():
    async with SessionLocal() as db:
        print(await db.scalar(select(func.count(User.id))))

def own_loop():
    asyncio.run(count())

def own_runner():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(count())
    loop.close()

def own_thread():
    import contextvars, threading
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(own_loop,))
    thread.start()
    thread.join()
"""
ENDPOINT = """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    await count()
    tasks.add_task({task})
"""


@pytest.mark.parametrize("task", ["own_loop", "own_runner", "own_thread"])
def test_loop_of_the_task(lab: Lab, task: str) -> None:
    app = ASYNC + WORK + ENDPOINT.format(task=task)
    finding = lab.assert_found("BG411", app, "POST /orders", line=f"add_task({task})")
    assert "app.db" in dict(finding["evidence"])["database"]


def test_static_pool(lab: Lab) -> None:
    app = ASYNC.replace("poolclass=AsyncAdaptedQueuePool", "poolclass=StaticPool")
    lab.assert_found("BG411", app + WORK + ENDPOINT.format(task="own_loop"), "POST /orders")


def test_error_of_a_driver(lab: Lab) -> None:
    """What asyncpg and the like raise, through a future of another loop under SQLAlchemy."""
    app = f"""{ASYNC}
from sqlalchemy.util import await_only

def wait_for_other_loop(session):
    other = asyncio.new_event_loop()
    future = other.create_future()
    other.close()
    await_only(future)

async def work():
    async with SessionLocal() as db:
        await db.run_sync(wait_for_other_loop)

@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(work)
"""
    finding = lab.assert_found("BG411", app, "POST /orders", line="add_task(work)")
    assert "different loop" in dict(finding["evidence"])["error"]


SILENT = {
    "loop of the app": "count",
    "loop that belongs to the engine": "own_engine",
}
OWN_ENGINE = """
async def with_engine():
    other = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with other.connect() as connection:
        await connection.scalar(select(func.count(User.id)))
    await other.dispose()

def own_engine():
    asyncio.run(with_engine())
"""


@pytest.mark.parametrize("task", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, task: str) -> None:
    lab.assert_silent(ASYNC + WORK + OWN_ENGINE + ENDPOINT.format(task=task), "POST /orders")


def test_null_pool(lab: Lab) -> None:
    app = ASYNC.replace("poolclass=AsyncAdaptedQueuePool", "poolclass=NullPool")
    lab.assert_silent(app + WORK + ENDPOINT.format(task="own_loop"), "POST /orders")


def test_client_with_a_loop_for_each_request(lab: Lab) -> None:
    """Without `with`, the test client makes a loop for each request: not the task's fault."""
    test = """
    def test_it():
        client = TestClient(app)
        client.post("/orders")
        client.post("/orders")
        asyncio.run(engine.dispose())
    """
    lab.assert_silent(ASYNC + WORK + ENDPOINT.format(task="count"), test=test)


def test_sync_engine_in_a_loop_of_the_task(lab: Lab) -> None:
    work = """
async def plain():
    with sessionmaker(create_engine(f"sqlite:///{file}", poolclass=NullPool))() as db:
        db.scalar(select(func.count(User.id)))

def own_loop():
    asyncio.run(plain())

@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(own_loop)
"""
    outcome = lab.run(ASYNC + work, "POST /orders", select="BG4")
    assert outcome.codes == []
