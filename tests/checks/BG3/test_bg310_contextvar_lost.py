"""BG310: a context variable that the request has set is lost in the task."""

from __future__ import annotations

import pytest
from checks_lab import Lab

HEAD = """
from contextvars import ContextVar
USER = ContextVar("user", default="nobody")
FOUND = []
def work(): FOUND.append(USER.get())
async def later(): FOUND.append(USER.get())
def deep(): inner()
def inner(): work()
def unrelated(): FOUND.append(1)
class Audit:
    def note(self): FOUND.append(USER.get())
def scoped():
    token = USER.set("ada")
    try:
        return USER.get()
    finally:
        USER.reset(token)
"""

FAULTY = {
    "a def endpoint": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(work)
""",
    "an async task": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(later)
""",
    "used further down": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(deep)
""",
    "a method": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(Audit().note)
""",
    "a lambda": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(lambda: USER.get())
""",
    "a def dependency": """
def user(): USER.set("ada")
@app.post("/orders", dependencies=[Depends(user)])
async def create(tasks: BackgroundTasks):
    tasks.add_task(work)
""",
    "a def dependency that yields": """
def user():
    USER.set("ada")
    yield
@app.post("/orders", dependencies=[Depends(user)])
async def create(tasks: BackgroundTasks):
    tasks.add_task(work)
""",
    "plain Starlette": """
from starlette.routing import Route
def create(request):
    USER.set("ada")
    return Response(background=BackgroundTask(work))
app.router.routes.append(Route("/orders", create, methods=["POST"]))
""",
}


@pytest.mark.parametrize("app", FAULTY.values(), ids=FAULTY)
def test_lost(lab: Lab, app: str) -> None:
    finding = lab.assert_found("BG310", HEAD + app, "POST /orders")
    assert "USER was set in a worker thread of the request" in finding["message"]


def test_message(lab: Lab) -> None:
    finding = lab.assert_found("BG310", HEAD + FAULTY["a def endpoint"], "POST /orders")
    assert finding["message"] == (
        "USER was set in a worker thread of the request, and work does not see it."
    )
    assert finding["evidence"][0] == ("USER", "'ada' in create, not set in the task")
    assert finding["evidence"][1][0] == "set in"


def test_the_dependency_is_named(lab: Lab) -> None:
    app = HEAD + FAULTY["a def dependency that yields"]
    finding = lab.assert_found("BG310", app, "POST /orders")
    assert finding["evidence"][1][1].endswith(" in user")


SILENT = {
    "an async endpoint": """
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(work)
""",
    "an async dependency": """
async def user(): USER.set("ada")
@app.post("/orders", dependencies=[Depends(user)])
async def create(tasks: BackgroundTasks):
    tasks.add_task(work)
""",
    "a middleware": """
@app.middleware("http")
async def user(request, call_next):
    token = USER.set("ada")
    try:
        return await call_next(request)
    finally:
        USER.reset(token)
@app.post("/orders")
def create(tasks: BackgroundTasks):
    tasks.add_task(work)
""",
    "reset on purpose": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    scoped()
    tasks.add_task(work)
""",
    "reset by an async dependency": """
async def user():
    token = USER.set("ada")
    yield
    USER.reset(token)
@app.post("/orders", dependencies=[Depends(user)])
async def create(tasks: BackgroundTasks):
    tasks.add_task(work)
""",
    "set again by the endpoint": """
def user(): USER.set("ada")
@app.post("/orders", dependencies=[Depends(user)])
async def create(tasks: BackgroundTasks):
    USER.set("bob")
    tasks.add_task(work)
""",
    "not used by the task": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.set("ada")
    tasks.add_task(unrelated)
""",
    "only read": """
@app.post("/orders")
def create(tasks: BackgroundTasks):
    USER.get()
    tasks.add_task(work)
""",
    "set by the task": """
def own():
    USER.set("ada")
    work()
@app.post("/orders")
def create(tasks: BackgroundTasks):
    tasks.add_task(own)
    tasks.add_task(work)
""",
}


@pytest.mark.parametrize("app", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, app: str) -> None:
    lab.assert_silent(HEAD + app, "POST /orders")
