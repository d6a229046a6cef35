"""What a task can still do with the request."""

from importlib.util import find_spec
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request, UploadFile
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bgcheck_suites.conftest import Observe
from bgcheck_suites.events import Log, same
from bgcheck_suites.lab import Lab, OnServer
from bgcheck_suites.marks import NotApplicable, requirement

BOUNDARY = "bgcheck"
FORM = (
    f"--{BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="upload"; filename="a.txt"\r\n'
    "Content-Type: text/plain\r\n\r\ncontent\r\n"
    f"--{BOUNDARY}--\r\n"
).encode()


@pytest.fixture
def multipart() -> dict[str, str]:
    """The headers of a form with a file; leaves the probe out where forms cannot be read."""
    if not (find_spec("python_multipart") or find_spec("multipart")):
        raise NotApplicable("python-multipart is not installed")
    return {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


async def passing(request: StarletteRequest, call_next: RequestResponseEndpoint) -> Response:
    """Pass the request on, and its response back."""
    return await call_next(request)


class Result:
    """What one call in a task gave: its value, or the name of its error."""

    def __init__(self) -> None:
        self.said = "the task did not run"

    async def of(self, call: Any) -> None:
        """Keep what an awaitable call gives."""
        try:
            self.said = repr(await call())
        except Exception as error:
            self.said = f"raises {type(error).__name__}"


def app_with_task(path: str, result: Result, *, read_first: bool) -> FastAPI:
    """Return an app whose task calls a method of the request, by its name."""
    app = FastAPI()

    @app.post("/")
    async def endpoint(request: Request, tasks: BackgroundTasks) -> None:
        if read_first:
            await getattr(request, path)()
        tasks.add_task(result.of, getattr(request, path))

    return app


@requirement("BGF-REQ-01")
def test_a_body_that_the_handler_read_is_still_there(lab: Lab) -> None:
    result = Result()
    lab.send(app_with_task("body", result, read_first=True), method="POST", content=b"1").settle()
    same("The task got another body.", result.said, "b'1'")


@requirement("BGF-REQ-02")
def test_a_body_that_nobody_read(lab: Lab, observe: Observe) -> None:
    result = Result()
    lab.send(app_with_task("body", result, read_first=False), method="POST", content=b"1").settle()
    observe(result.said)


@requirement("BGF-REQ-03")
def test_a_json_body_that_fastapi_read(lab: Lab) -> None:
    result, app = Result(), FastAPI()

    @app.post("/")
    async def endpoint(item: list[int], request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(result.of, request.json)

    lab.send(app, method="POST", payload=[1, 2]).settle()
    same("The task got another body.", result.said, "[1, 2]")


@requirement("BGF-REQ-04")
def test_an_upload_in_a_task(lab: Lab, observe: Observe, multipart: dict[str, str]) -> None:
    result, app = Result(), FastAPI()

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks, upload: UploadFile) -> None:
        tasks.add_task(result.of, upload.read)

    lab.send(app, method="POST", content=FORM, headers=multipart).settle()
    observe(result.said)


@requirement("BGF-REQ-05")
def test_an_upload_of_a_plain_form_in_a_task(
    lab: Lab, observe: Observe, multipart: dict[str, str]
) -> None:
    result = Result()

    async def endpoint(request: StarletteRequest) -> Response:
        upload: Any = (await request.form())["upload"]
        return JSONResponse({}, background=BackgroundTask(result.of, upload.read))

    app = Starlette(routes=[Route("/", endpoint, methods=["POST"])])
    lab.send(app, method="POST", content=FORM, headers=multipart).settle()
    observe(result.said)


@requirement("BGF-REQ-06")
def test_the_content_of_an_upload_that_the_handler_read(
    lab: Lab, multipart: dict[str, str]
) -> None:
    got: list[bytes] = []
    app = FastAPI()

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks, upload: UploadFile) -> None:
        tasks.add_task(got.append, await upload.read())

    lab.send(app, method="POST", content=FORM, headers=multipart).settle()
    same("The task got another content.", got, [b"content"])


@requirement("BGF-REQ-13")
def test_the_fields_of_a_form_that_the_handler_read(lab: Lab, multipart: dict[str, str]) -> None:
    result = Result()
    app = app_with_task("form", result, read_first=True)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    lab.send(app, method="POST", content=b"name=ann", headers=headers).settle()
    same("The task got another form.", result.said, "FormData([('name', 'ann')])")


def disconnected_app(result: Result) -> FastAPI:
    """Return an app whose task asks whether the client has gone."""
    app = FastAPI()

    @app.get("/")
    async def endpoint(request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(result.of, request.is_disconnected)

    return app


@requirement("BGF-REQ-07")
def test_is_disconnected_while_the_client_is_there(lab: Lab, observe: Observe) -> None:
    result = Result()
    lab.send(disconnected_app(result)).settle()
    observe(result.said)


@requirement("BGF-REQ-08")
def test_is_disconnected_behind_base_http_middleware(lab: Lab, observe: Observe) -> None:
    result = Result()
    app = disconnected_app(result)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    lab.send(app).settle()
    observe(result.said)


@requirement("BGF-REQ-09")
def test_a_stream_that_the_handler_consumed(lab: Lab, observe: Observe) -> None:
    result, app = Result(), FastAPI()

    async def read(request: Request) -> list[bytes]:
        return [chunk async for chunk in request.stream() if chunk]

    @app.post("/")
    async def endpoint(request: Request, tasks: BackgroundTasks) -> None:
        await read(request)
        tasks.add_task(result.of, lambda: read(request))

    lab.send(app, method="POST", content=b"1").settle()
    observe(result.said)


@requirement("BGF-REQ-10")
def test_the_scope_is_the_same_object(lab: Lab, log: Log) -> None:
    app = FastAPI()

    def note(request: Request) -> None:
        request.scope["note"] = "by the task"

    @app.get("/")
    def endpoint(request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(note, request)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        log.mark("outside", scope.get("note"))

    lab.send(outer).settle()
    same("Outside another scope is seen.", log.first("outside").value, "by the task")


@requirement("BGF-REQ-11")
def test_a_request_of_a_dependency_is_the_one_of_the_task(lab: Lab) -> None:
    seen: list[dict[str, Any]] = []
    app = FastAPI()

    @app.get("/")
    def endpoint(request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: seen.append(dict(request.query_params)))

    lab.send(app, "/?a=1").settle()
    lab.send(app, "/?a=2").settle()
    same("Tasks saw the parameters of other requests.", seen, [{"a": "1"}, {"a": "2"}])


@requirement("BGF-REQ-12")
def test_the_body_of_a_task_while_another_request_is_read(on_server: OnServer) -> None:
    result = Result()
    app = app_with_task("json", result, read_first=True)
    with on_server.connect() as connection:
        connection.send(app, method="POST", payload={"number": 1}).settle()
        first = result.said
        connection.send(app, method="POST", payload={"number": 2}).settle()
    same("The task got another body.", (first, result.said), ("{'number': 1}", "{'number': 2}"))
