"""What `bgcheck conform --app` says to an app or a request that cannot be used, and to several."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loop_clients import needs_trio

from bgcheck.cli import main
from bgcheck.report.results import read_run

SHOP = """
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Form, Header, HTTPException, UploadFile
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.routing import Route

number = 3
app = FastAPI()


def store(number: int) -> None:
    print(number)


def silent(number: int) -> None:
    try:
        print(number)
    except Exception:
        pass


@app.post("/items/{number}")
def create(number: int, tasks: BackgroundTasks) -> None:
    tasks.add_task(store, number)


@app.post("/silent")
def create_silent(item: dict, tasks: BackgroundTasks, x_token: int = Header()) -> None:
    tasks.add_task(silent, item["number"])


@app.post("/photos")
def create_photo(photo: UploadFile, tasks: BackgroundTasks, width: int = Form(le=10)) -> None:
    tasks.add_task(store, width)


@app.get("/none")
def none() -> int:
    return 1


@app.get("/boom")
def boom() -> None:
    raise ValueError("no stock")


@app.get("/teapot")
def teapot() -> None:
    raise HTTPException(418, "short and stout")


def make() -> FastAPI:
    return app


def broken() -> FastAPI:
    raise RuntimeError("no settings")


async def later() -> FastAPI:
    return app


def needing(settings: object) -> FastAPI:
    return app


@asynccontextmanager
async def ready(app):
    app.state.number = 1
    yield


@asynccontextmanager
async def failing(app):
    raise RuntimeError("no database")
    yield


async def plain(request):
    return JSONResponse({}, background=BackgroundTask(store, request.app.state.number))


ROUTES = [Route("/orders", plain, methods=["POST"])]
starlette = Starlette(routes=ROUTES, lifespan=ready)
unready = Starlette(routes=ROUTES, lifespan=failing)
"""
ITEMS = ["--app", "usage_shop:app", "--request", "POST /items/1"]


def to(app: str, request: str = "POST /items/1") -> list[str]:
    return ["--app", app, "--request", request]


MESSAGES = {
    "no request": (
        ["--app", "usage_shop:app"],
        "--app and --request go together; --request is missing",
    ),
    "no app": (["--request", "GET /"], "--app and --request go together; --app is missing"),
    "only a body": (["--json", "1"], "--app and --request go together; --app is missing"),
    "no module": (
        to("usage_none:app"),
        "importing 'usage_none' failed: ModuleNotFoundError: No module named 'usage_none'",
    ),
    "a module that raises": (
        to("usage_raises:app"),
        "importing 'usage_raises' failed: RuntimeError: no settings",
    ),
    "a module that exits": (
        to("usage_exits:app"),
        "importing 'usage_exits' failed: SystemExit: no licence",
    ),
    "no name": (to("usage_shop"), "'usage_shop' names no app: write 'myproject.main:app'"),
    "no attribute": (to("usage_shop:nope"), "'usage_shop:nope': usage_shop has no 'nope'"),
    "a number": (
        to("usage_shop:number"),
        "'usage_shop:number' is no ASGI application, but of type int: give an app, a function that "
        "makes one, or its place, such as 'myproject.main:app'",
    ),
    "a function with arguments": (
        to("usage_shop:needing"),
        "'usage_shop:needing' is no ASGI application, but of type function: give an app, a "
        "function that makes one, or its place, such as 'myproject.main:app'",
    ),
    "a class": (
        to("usage_shop:FastAPI"),
        "'usage_shop:FastAPI' is no ASGI application, but of type type: give an app, a function "
        "that makes one, or its place, such as 'myproject.main:app'",
    ),
    "a factory that raises": (
        to("usage_shop:broken"),
        "calling 'usage_shop:broken' failed: RuntimeError: no settings",
    ),
    "an async factory": (
        to("usage_shop:later"),
        "'usage_shop:later' is an `async def` function: give an app, a function that makes one, or "
        "its place, such as 'myproject.main:app'",
    ),
    "a lifespan that raises": (
        to("usage_shop:unready", "POST /orders"),
        "The app does not start: RuntimeError: no database",
    ),
    "no method": (
        to("usage_shop:app", "/items"),
        "'/items' is no request: write a method and a path, such as 'POST /items/1'",
    ),
    "no task": (
        to("usage_shop:app", "GET /none"),
        "GET /none was answered 200, and scheduled no task. Give one that schedules tasks. The "
        "body: 1",
    ),
    "a client's error": (
        to("usage_shop:app", "GET /teapot"),
        "GET /teapot was answered 418. Give one that is accepted, with its body and headers. The "
        'body: {"detail":"short and stout"}',
    ),
    "an error of the app": (
        to("usage_shop:app", "GET /boom"),
        "GET /boom was answered 500, and the app raised ValueError: no stock. Give a request that "
        "the app can serve, or mend the app.",
    ),
    "no JSON": (
        [*ITEMS, "--json", "{"],
        "--json '{' is no JSON: Expecting property name enclosed in double quotes: line 1 column "
        "2 (char 1)",
    ),
    "two bodies": (
        [*ITEMS, "--json", "1", "--json", "2"],
        "'POST /items/1' has 2 bodies: give --json once",
    ),
    "no header": ([*ITEMS, "--header", "X"], "--header 'X' is no NAME:VALUE: write it so"),
    "no field": ([*ITEMS, "--form", "=1"], "--form '=1' is no NAME=VALUE: write it so"),
    "no file": (
        [*ITEMS, "--file", "photo=gone.png"],
        "--file: cannot read gone.png: No such file or directory",
    ),
    "no requirement": (
        [*ITEMS, "--select", "BGF"],
        "no requirement of the contract matches BGF; there are BGC-RESP-01, ",
    ),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    files = {
        "usage_shop": SHOP,
        "usage_raises": "raise RuntimeError('no settings')",
        "usage_exits": "import sys\n\nsys.exit('no licence')",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    yield tmp_path
    for name in files:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("options", "message"), MESSAGES.values(), ids=MESSAGES)
def test_what_cannot_be_used(
    project: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["conform", *options])
    assert exit_info.value.code == 3
    (said,) = capsys.readouterr().err.splitlines()[1:]
    assert said.startswith(f"bgcheck: error: {message}")
    assert said.endswith(message) or message.endswith(", ")


def test_a_factory_and_a_lifespan(project: Path) -> None:
    assert main(["conform", *to("usage_shop:make"), "--select", "BGC-RESP-01"]) == 0
    star = to("usage_shop:starlette", "POST /orders")
    assert main(["conform", *star, "--select", "BGC-RESP-01"]) == 0


@needs_trio
def test_trio(project: Path) -> None:
    star = [*to("usage_shop:starlette", "POST /orders"), "--backend", "trio"]
    assert main(["conform", *star, "--select", "BGC-RESP-01"]) == 0
    run = read_run(project / "bgcheck-report" / "results.jsonl")
    assert run.repeat("BGC-RESP-01") == (
        "bgcheck conform --app usage_shop:starlette --backend trio --request 'POST /orders' "
        "--select BGC-RESP-01"
    )


def test_a_form_with_an_upload(project: Path) -> None:
    (project / "photo.png").write_bytes(b"x")
    uploads = to("usage_shop:app", "POST /photos")
    options = ["--form", "width=3", "--file", "photo=photo.png", "--select", "BGC-VAL-01"]
    assert main(["conform", *uploads, *options]) == 0
    (result,) = read_run(project / "bgcheck-report" / "results.jsonl").results
    assert result.status == "pass"


def test_several_requests(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--header", "X-Token: 3", *ITEMS]
    options += ["--request", "POST /silent", "--json", '{"number": 1}', "--select", "BGC-ERR-01"]
    assert main(["conform", *options]) == 1
    (result,) = read_run(project / "bgcheck-report" / "results.jsonl").results
    assert result.message.startswith("[POST /silent] Nobody is told when silent fails at line ")
    assert result.tests == ("POST /items/1", "POST /silent")
    repeat = (
        "Repeat: bgcheck conform --app usage_shop:app --header 'X-Token: 3' --request 'POST "
        """/items/1' --request 'POST /silent' --json '{"number": 1}' --select BGC-ERR-01 -v"""
    )
    assert repeat in capsys.readouterr().out
    page = (project / "bgcheck-report" / "index.html").read_text("utf-8")
    assert "This endpoint does not conform" in page


def test_the_others_that_fail_are_named(project: Path) -> None:
    silent = ["--request", "POST /silent", "--json"]
    options = ["--app", "usage_shop:app", "--header", "X-Token: 3", "--select", "BGC-ERR-01"]
    options += [*silent, '{"number": 1}', *silent, '{"number": 2}']
    assert main(["conform", *options]) == 1
    (result,) = read_run(project / "bgcheck-report" / "results.jsonl").results
    assert result.evidence[-1].startswith("[POST /silent] fail: Nobody is told when silent fails")
