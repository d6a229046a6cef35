"""`endpoint.invalid`: what is derived from a schema, and that FastAPI refuses all of it."""

# ruff: noqa: B008 - FastAPI 0.100 takes no `Annotated` under a new pydantic

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from importlib.metadata import version
from typing import Any, Literal

import pytest
from fastapi import Cookie, Depends, FastAPI, File, Form, Header, Path, Query, UploadFile
from fastapi.testclient import TestClient
from packaging.version import Version
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, SecretStr

from bgcheck_suites.endpoint import invalid
from bgcheck_suites.endpoint.openapi import operation_of
from bgcheck_suites.endpoint.subject import RequestSpec


class Kind(str, enum.Enum):
    NEW = "new"
    OLD = "old"


class Size(int, enum.Enum):
    SMALL = 1
    LARGE = 2


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Named(BaseModel):
    name: str
    weight: float | None = None


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: uuid.UUID
    at: datetime.datetime
    day: datetime.date | None = None
    kind: Kind
    size: Size = Size.SMALL
    count: int = Field(gt=0, lt=10, multiple_of=3)
    price: decimal.Decimal = decimal.Decimal(1)
    code: str = Field(pattern="^[A-Z]{3}$")
    name: str = Field(min_length=2, max_length=5)
    tags: list[str] = Field(min_length=1, max_length=3)
    numbers: set[int] = set()
    pair: tuple[int, str] = (1, "x")
    table: dict[str, int] = {}
    animal: Cat | Dog = Field(discriminator="kind")
    loose: int | Named | None = None
    anything: Any = None
    more: list[Cat] = []
    host: ipaddress.IPv4Address = ipaddress.IPv4Address("127.0.0.1")
    url: AnyUrl = AnyUrl("https://example.org")
    gift: bool = False
    secret: SecretStr = SecretStr("x")
    within: datetime.timedelta = datetime.timedelta(1)


ORDER: dict[str, Any] = {
    "id": "9f1b7c9e-4f3b-4b8e-9d55-0c7a3f1f8a11",
    "at": "2026-01-01T00:00:00",
    "kind": "new",
    "count": 3,
    "code": "ABC",
    "name": "abc",
    "tags": ["x"],
    "numbers": [1],
    "pair": [1, "y"],
    "table": {"a": 1},
    "animal": {"kind": "cat", "lives": 3},
    "loose": {"name": "x"},
    "more": [{"kind": "cat", "lives": 3}],
}


class Behind:
    """Middleware around an app."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def make_app(root_path: str = "") -> Any:
    app, inner = FastAPI(), FastAPI()
    app.root_path = root_path

    @app.post("/orders/{number}/{kind}")
    def create(
        order: Order,
        number: int = Path(ge=1),
        kind: Kind = Path(),
        wanted: int = Query(),
        numbers: list[int] = Query([]),
        words: list[str] | None = Query(None),
        short: str = Query("x", max_length=4),
        flag: bool = False,
        since: datetime.date | None = None,
        x_token: int = Header(),
        user_agent: str = Header(),
        visit: int = Cookie(1),
    ) -> None: ...

    @inner.post("/forms/{place:path}")
    def form(
        place: str,
        upload: UploadFile,
        count: int = Form(ge=1),
        name: str = Form("xx", min_length=2),
        more: bytes | None = File(None),
        numbers: list[int] = Form([]),
    ) -> None: ...

    @inner.post("/fields")
    def fields(kind: Kind = Form(), day: datetime.date = Form(), note: str = Form("")) -> None: ...

    @inner.get("/nothing")
    def nothing(word: str = "", anything: Any = Depends(lambda: 1)) -> None: ...

    app.mount("/inner", inner)
    return Behind(app)


REQUESTS = {
    "json": RequestSpec(
        "POST /orders/1/new?wanted=1",
        json=ORDER,
        headers={"Cookie": "a=b; visit=3", "X-Token": "3"},
    ),
    "root path": RequestSpec(
        "POST /api/orders/1/new?wanted=1", json=ORDER, headers={"X-Token": "3"}
    ),
    "multipart": RequestSpec(
        "POST /inner/forms/a/b", data={"count": "1"}, files={"upload": ("a.txt", b"x")}
    ),
    "multipart in pairs": RequestSpec(
        "POST /inner/forms/a/b", data={"count": "1"}, files=[("upload", ("a.txt", b"x"))]
    ),
    "mounted below a root path": RequestSpec(
        "POST /api/inner/fields", data={"kind": "new", "day": "2026-01-01"}
    ),
    "form": RequestSpec("POST /inner/fields", data={"kind": "new", "day": "2026-01-01"}),
}


ROOTS = {"root path": "/api", "mounted below a root path": "/api"}


def derived(name: str) -> dict[str, RequestSpec]:
    operation = operation_of(make_app(ROOTS.get(name, "")), REQUESTS[name])
    assert operation is not None
    return {one.fault: one.request for one in invalid.derive(operation, REQUESTS[name])}


def status(client: TestClient, request: RequestSpec) -> int:
    return int(client.request(request.method, request.url, **request.options()).status_code)


@pytest.mark.parametrize("name", REQUESTS)
def test_fastapi_refuses_all_that_is_derived(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invalid, "LIMIT", 1000)
    if name in ROOTS and Version(version("starlette")) < Version("0.35"):
        pytest.skip("this Starlette does not take the root path away")
    with TestClient(make_app(ROOTS.get(name, ""))) as client:
        assert status(client, REQUESTS[name]) == 200
        found = {fault: status(client, request) for fault, request in derived(name).items()}
    assert found
    assert {fault: code for fault, code in found.items() if not 400 <= code < 500} == {}


JSON_FAULTS = """
path parameter number is no integer
path parameter number is beyond its minimum 1
path parameter kind is no value that is allowed
query parameter wanted is no integer
query parameter wanted is missing
query parameter numbers is no integer
query parameter short is longer than 4
query parameter flag is no boolean
query parameter since is no date
header parameter x-token is no integer
header parameter x-token is missing
cookie parameter visit is no integer
the body is no object
the body.id is missing
the body.unknown is no member
the body.id is no uuid
the body.at is no date-time
the body.day is no date
the body.kind is no value that is allowed
the body.size is no value that is allowed
the body.count is no integer
the body.count is at its exclusiveMinimum 0
the body.count is at its exclusiveMaximum 10
the body.count is no multiple of 3
the body.code is no match of ^[A-Z]{3}$
the body.name is no text
the body.name is shorter than 2
the body.name is longer than 5
the body.tags is no list
the body.tags is shorter than 1
the body.tags is longer than 3
the body.tags[0] is no text
the body.numbers[0] is no integer
the body.pair is longer than 2
the body.pair[1] is no text
the body.table.a is no integer
the body.animal.lives is missing
the body.animal.kind is no value that is allowed
the body.animal.lives is beyond its maximum 9
the body.loose is no integer or object
the body.loose.name is missing
the body.loose.weight is no number
the body.more[0].lives is beyond its minimum 1
the body.host is no ipv4
the body.url is no uri
the body.gift is no boolean
the body is no JSON
the body is missing
"""
FORM_FAULTS = """
form field count is no integer
form field count is beyond its minimum 1
form field count is missing
form field upload is missing
form field name is shorter than 2
form field numbers is no integer
the body is missing
"""


def test_every_part_of_a_request_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invalid, "LIMIT", 1000)
    assert set(JSON_FAULTS.strip().splitlines()) <= set(derived("json"))
    assert set(derived("multipart")) == set(FORM_FAULTS.strip().splitlines())
    assert "form field day is no date" in derived("form")


def test_what_a_fault_is_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invalid, "LIMIT", 1000)
    found = derived("json")
    assert found["path parameter kind is no value that is allowed"].line == (
        "POST /orders/1/not-a-value?wanted=1"
    )
    assert found["query parameter wanted is missing"].line == "POST /orders/1/new"
    assert found["cookie parameter visit is no integer"].headers["cookie"] == (
        "a=b; visit=not-a-value"
    )
    assert "X-Token" not in found["header parameter x-token is missing"].headers
    assert found["the body.animal.lives is beyond its maximum 9"].json == {
        **ORDER,
        "animal": {"kind": "cat", "lives": 10},
    }


def test_many_are_evenly_chosen_and_the_same_each_time() -> None:
    first = list(derived("json").items())
    assert 20 <= len(first) <= invalid.LIMIT
    assert first == list(derived("json").items())
    assert any(fault.startswith("path") for fault, _ in first)
    assert first[-1][0].startswith("the body")


def test_nothing_is_derived_where_anything_goes() -> None:
    request = RequestSpec("GET /inner/nothing")
    operation = operation_of(make_app(), request)
    assert operation is not None
    assert invalid.derive(operation, request) == []
    assert operation_of(make_app(), RequestSpec("GET /elsewhere")) is None
