"""A suite has the same outcomes, warnings, logs and exit code in report mode as without bgcheck."""

from __future__ import annotations

import re

import pytest
from checks_plugin_lab import Project

APP = """
import logging
import warnings
from contextlib import asynccontextmanager
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

app = FastAPI()
log = logging.getLogger("shop")

class Session:
    alive = []
    def __init__(self):
        self.closed = False
        type(self).alive.append(weakref.ref(self))
    def close(self):
        self.closed = True

import weakref

def get_session():
    session = Session()
    try:
        yield session
    finally:
        session.close()

def work(session, payload):
    log.warning("working on %s", payload)

def fail(session, payload):
    local = Session()
    raise ValueError(payload)

@app.post("/work")
async def do_work(tasks: BackgroundTasks, session=Depends(get_session)):
    payload = {"a": [1]}
    tasks.add_task(work, session, payload)
    payload["a"].append(2)

@app.post("/fail")
async def do_fail(tasks: BackgroundTasks, session=Depends(get_session)):
    tasks.add_task(fail, session, {"a": 1})

@app.post("/closure")
async def closure(tasks: BackgroundTasks):
    session = Session()
    tasks.add_task(lambda: session.close())

@app.post("/lost")
async def lost(tasks: BackgroundTasks, session=Depends(get_session)):
    tasks.add_task(work, session, 1)
    raise HTTPException(409)

@app.post("/file")
async def file(tasks: BackgroundTasks):
    tasks.add_task(print, open(__file__))

@app.post("/warns")
async def warns(tasks: BackgroundTasks):
    warnings.warn("old", DeprecationWarning)
"""

TESTS = """
import gc
import logging
import sys
import threading
import weakref

import pytest
from fastapi import BackgroundTasks
from fastapi.testclient import TestClient
from starlette.background import BackgroundTask

import shop
from shop import Session, app

client = TestClient(app, raise_server_exceptions=False)


def post(path):
    # anyio tells its workers to stop, and does not wait; till then they hold the last task.
    before = set(threading.enumerate())
    client.post(path)
    started = set(threading.enumerate()) - before
    for thread in started:
        thread.join(timeout=30)
    return [thread for thread in started if thread.is_alive()]


@pytest.fixture(autouse=True)
def no_sessions_before():
    Session.alive.clear()


@pytest.mark.parametrize("path", ["/work", "/fail", "/closure", "/lost"])
def test_sessions_die_with_their_request(path):
    post(path)
    gc.collect()
    assert Session.alive
    assert [ref() for ref in Session.alive] == [None] * len(Session.alive)


def test_error_dies_with_its_except():
    class Marked(Exception): ...
    refs = []
    def boom():
        error = Marked()
        refs.append(weakref.ref(error))
        raise error
    @app.post("/marked")
    async def marked(tasks: BackgroundTasks):
        tasks.add_task(boom)
    post("/marked")
    gc.collect()
    assert refs[0]() is None


def test_task_object_is_as_made():
    def f(x): ...
    task = BackgroundTask(f, 1, )
    assert (task.func, task.args, task.kwargs) == (f, (1,), {})
    assert set(vars(task)) == {"func", "args", "kwargs", "is_async"}
    tasks = BackgroundTasks()
    tasks.add_task(f, 1)
    assert [vars(one) for one in tasks.tasks] == [vars(task)]
    assert type(tasks) is BackgroundTasks


def test_closed_over_class_dies():
    class Local: ...
    ref = weakref.ref(Local)
    tasks = BackgroundTasks()
    tasks.add_task(Local)
    del tasks, Local
    gc.collect()
    assert ref() is None


def test_file_is_closed_with_a_resource_warning():
    with pytest.warns(ResourceWarning):
        post("/file")
        gc.collect()


def test_deprecation_stays_an_error():
    with pytest.raises(DeprecationWarning):
        TestClient(app).post("/warns")


def test_logs(caplog):
    with caplog.at_level(logging.DEBUG):
        client.post("/work")
        client.post("/lost")
    names = {r.name for r in caplog.records}
    assert {name for name in names if not name.startswith(("httpx", "asyncio"))} == {"shop"}


def test_threads():
    assert post("/work") == []


def test_output(capsys):
    client.post("/work")
    assert capsys.readouterr() == ("", "")


def test_that_fails():
    client.post("/fail")
    assert 1 == 2


@pytest.mark.xfail(strict=True)
def test_expected_failure():
    client.post("/fail")
    raise ValueError


@pytest.mark.skip
def test_skipped(): ...


def test_error_in_teardown(request):
    request.addfinalizer(lambda: client.post("/nothing").json()["missing"])
"""

INI = """
[pytest]
addopts = --strict-markers --strict-config -p no:randomly
filterwarnings =
    error
    ignore:.*MemoryObject.*
    ignore:The `__get_validators__`
    ignore:`general_plain_validator_function`
    ignore:Please use `import python_multipart`
    ignore:The 'app' shortcut
    ignore:The anyio.abc.BlockingPortal alias
    ignore:.*httpx
pythonpath = .
"""


def verdict(result: pytest.RunResult) -> tuple[object, ...]:
    """What a run shows: exit code, outcomes, and each test's line."""
    lines = [line for line in result.outlines if re.match(r"[A-Z]+ (test_shop|\[1\])", line)]
    return result.ret, result.parseoutcomes(), sorted(lines)


@pytest.mark.parametrize("parallel", [[], ["-p", "xdist.plugin", "-n2"]], ids=["alone", "xdist"])
def test_same_with_and_without(project: Project, parallel: list[str]) -> None:
    project.write(shop=APP, test_shop=TESTS)
    (project.path / "pytest.ini").write_text(INI)

    def run(*options: str) -> pytest.RunResult:
        return project.pytester.runpytest_subprocess(*options, *parallel, "-v", "-rA")

    without = run()
    assert without.parseoutcomes() == {
        "failed": 1, "passed": 13, "xfailed": 1, "skipped": 1, "errors": 1
    }  # fmt: skip
    report = run("-p", "bgcheck.plugin")
    assert "BG103" in report.stdout.str()
    assert verdict(report) == verdict(without)
    assert report.stderr.str() == without.stderr.str()
