"""BGC-VAL-01 on every kind of input: forms, uploads, headers, cookies, unions, mounted apps."""

# ruff: noqa: B008 - FastAPI 0.100 takes no `Annotated` under a new pydantic

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import pytest
from contract_lab import Planted, work
from fastapi import BackgroundTasks, Cookie, Depends, FastAPI, File, Form, Header, UploadFile
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bgcheck_suites.endpoint.verify import verify


class Point(BaseModel):
    x: int


class Line(BaseModel):
    points: list[Point]


class Kind(str, enum.Enum):
    NEW = "new"


def asked(count: int = Form(), kind: Kind = Form(Kind.NEW, alias="format")) -> Kind:
    return kind


def form(tasks: BackgroundTasks, count: int = Form()) -> None:
    tasks.add_task(work)


def upload(tasks: BackgroundTasks, file: UploadFile = File()) -> None:
    tasks.add_task(work)


def renamed(tasks: BackgroundTasks, kind: Kind = Form(Kind.NEW, alias="format")) -> None:
    tasks.add_task(work)


def depending(tasks: BackgroundTasks, kind: Kind = Depends(asked)) -> None:
    tasks.add_task(work)


def header(tasks: BackgroundTasks, x_count: int = Header()) -> None:
    tasks.add_task(work)


def cookie(tasks: BackgroundTasks, visit: int = Cookie(1)) -> None:
    tasks.add_task(work)


def union(shape: Line | Point, tasks: BackgroundTasks) -> None:
    tasks.add_task(work)


KINDS: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "form": (form, {"data": {"count": "1"}}),
    "alias": (renamed, {"data": {"format": "new"}}),
    "alias in a dependency": (depending, {"data": {"count": "1"}}),
    "upload": (upload, {"files": {"file": ("a.txt", b"x")}}),
    "header": (header, {"headers": {"X-Count": "1"}}),
    "cookie": (cookie, {"headers": {"Cookie": "visit=1"}}),
    "union": (union, {"json": {"points": [{"x": 1}]}}),
}


def early(tasks: BackgroundTasks) -> None:
    tasks.add_task(work)


def app_of(endpoint: Callable[..., None], *, faulty: bool, mounted: bool = False) -> FastAPI:
    app = FastAPI()
    app.post("/orders", dependencies=[Depends(early)] if faulty else [])(endpoint)
    outer = FastAPI()
    outer.mount("/shop", app)
    return outer if mounted else app


@pytest.mark.parametrize("mounted", [False, True], ids=["app", "mounted"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_input_is_broken(kind: str, mounted: bool) -> None:
    endpoint, options = KINDS[kind]
    line = "POST /shop/orders" if mounted else "POST /orders"
    for faulty, status in ((False, "pass"), (True, "fail")):
        made = app_of(endpoint, faulty=faulty, mounted=mounted)
        verdict = verify(Planted(lambda made=made: made, line, options).of(), "BGC-VAL-01")
        assert verdict.status == status, verdict
    assert verdict.message.startswith("Invalid input is refused, and schedules work all the same: ")


def plain(request: Request) -> JSONResponse:
    return JSONResponse({}, background=BackgroundTask(work))


def test_an_app_without_a_schema_needs_invalid_requests() -> None:
    planted = Planted(lambda: Starlette(routes=[Route("/orders", plain, methods=["POST"])]))
    verdict = verify(planted.of(), "BGC-VAL-01")
    assert (verdict.status, verdict.message) == (
        "not-applicable",
        "the OpenAPI schema of the app is not there; give `invalid` requests",
    )


def test_a_route_that_the_schema_leaves_out() -> None:
    app = FastAPI()
    app.post("/orders", include_in_schema=False)(early)
    verdict = verify(Planted(lambda: app).of(), "BGC-VAL-01")
    assert (verdict.status, verdict.message) == (
        "not-applicable",
        "the OpenAPI schema of the app does not list this request; give `invalid` requests",
    )
