"""BG308: a task reads the body of its request for the first time."""

from __future__ import annotations

import pytest
import starlette
from checks_lab import Lab

HEAD = """
from pydantic import BaseModel
from starlette.requests import Request

FOUND = []
async def body(request): FOUND.append(await request.body())
async def text(request): FOUND.append((await request.json())["a"])
async def form(request): FOUND.append(await request.form())
async def stream(request):
    async for part in request.stream(): FOUND.append(part)
async def iterate(parts):
    async for part in parts: FOUND.append(part)
async def upper(parts):
    async for part in parts: yield part.upper()
async def quietly(request):
    try:
        await request.body()
    except Exception:
        pass
async def gone(request): FOUND.append(await request.is_disconnected())
async def path(request): FOUND.append((request.url.path, request.headers["host"]))
async def own(request):
    async def receive(): return {"type": "http.request", "body": b"x", "more_body": False}
    FOUND.append(await Request({"type": "http"}, receive).body())
def keep(*args): FOUND.append(args)

def test_requests():
    with TestClient(app, raise_server_exceptions=False) as client:
        client.post("/orders", json={"a": 1})
"""

ENDPOINT = """
@app.post("/orders")
async def create(request: Request, tasks: BackgroundTasks):
    BODY
"""

FORM = "tasks.add_task(form, request)"

FAULTY = {
    "body": "tasks.add_task(body, request)",
    "json": "tasks.add_task(text, request)",
    "stream": "tasks.add_task(stream, request)",
    "captured": "async def work():\n        await body(request)\n    tasks.add_task(work)",
    "errors swallowed": "tasks.add_task(quietly, request)",
    "a bound method": "tasks.add_task(request.body)",
    "a stream made in the request": "tasks.add_task(iterate, request.stream())",
    "a stream made in the request, and wrapped": "tasks.add_task(iterate, upper(request.stream()))",
    "a stream made after a look at the client": (
        "parts = request.stream()\n    await request.is_disconnected()\n"
        "    tasks.add_task(iterate, parts)"
    ),
    "from a response": "return Response(background=BackgroundTask(body, request))",
}

SILENT = {
    "read before": "await request.body()\n    tasks.add_task(body, request)",
    "json read before": "await request.json()\n    tasks.add_task(text, request)",
    "form read before": "await request.form()\n    tasks.add_task(form, request)",
    "the stream of a cached body": "await request.body()\n    tasks.add_task(stream, request)",
    "a stream made before the body was read": (
        "parts = request.stream()\n    await request.body()\n    tasks.add_task(iterate, parts)"
    ),
    "a stream read in the request": (
        "tasks.add_task(keep, [part async for part in request.stream()])"
    ),
    "a stream begun in the request": (
        "parts = request.stream()\n    await anext(parts)\n    tasks.add_task(iterate, parts)"
    ),
    "a stream that nobody reads": "tasks.add_task(keep, request.stream())",
    "the content": "tasks.add_task(keep, await request.body())",
    "headers": "tasks.add_task(path, request)",
    "whether the client is gone": "tasks.add_task(gone, request)",
    "a request of its own": "tasks.add_task(own, request)",
}


@pytest.mark.parametrize("line", FAULTY.values(), ids=FAULTY)
def test_read_in_the_task(lab: Lab, line: str) -> None:
    app = HEAD + ENDPOINT.replace("BODY", line)
    finding = lab.assert_found("BG308", app, test="")
    assert "reads the body of its request after the response" in finding["message"]


@pytest.mark.parametrize("line", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, line: str) -> None:
    lab.assert_silent(HEAD + ENDPOINT.replace("BODY", line), test="")


def test_site_of_the_read_of_a_stream(lab: Lab) -> None:
    app = HEAD + ENDPOINT.replace("BODY", FAULTY["a stream made in the request"])
    finding = lab.assert_found("BG308", app, test="", line="add_task(iterate")
    assert finding["evidence"][0][1].endswith(" in iterate")


def test_a_form(lab: Lab) -> None:
    app = HEAD.replace("json={", "data={") + ENDPOINT.replace("BODY", FORM)
    lab.assert_found("BG308", app, test="")


def test_site_of_the_read(lab: Lab) -> None:
    app = HEAD + ENDPOINT.replace("BODY", "tasks.add_task(body, request)")
    finding = lab.assert_found("BG308", app, test="", line="add_task(body, request)")
    label, place = finding["evidence"][0]
    assert label == "read at"
    assert place.endswith(" in body")


def test_the_body_of_the_endpoint_is_cached(lab: Lab) -> None:
    app = """
class Order(BaseModel):
    a: int
@app.post("/orders")
async def create(order: Order, request: Request, tasks: BackgroundTasks):
    tasks.add_task(body, request)
"""
    lab.assert_silent(HEAD + app, test="")


def test_requests_that_a_task_sends(lab: Lab) -> None:
    app = """
try:
    import httpx2 as httpx
except ImportError:
    import httpx
async def call():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        response = await client.post("/inner", content=b"x")
        assert response.json() == 1
@app.post("/inner")
async def inner(request: Request):
    return len(await request.body())
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(call)
"""
    lab.assert_silent(HEAD + app, test="")


@pytest.mark.skipif(
    starlette.__version__.startswith("0.27."),
    reason="this read waits for ever under Starlette 0.27, with and without bgcheck",
)
def test_behind_a_middleware(lab: Lab) -> None:
    app = """
@app.middleware("http")
async def measure(request, call_next):
    return await call_next(request)
@app.post("/orders")
async def create(request: Request, tasks: BackgroundTasks):
    tasks.add_task(body, request)
"""
    lab.assert_found("BG308", HEAD + app, test="")
