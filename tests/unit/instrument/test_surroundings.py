"""`bgcheck.instrument.surroundings`: what an application has around a task."""

import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import fastapi
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from fastapi.security import HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, StreamingResponse
from starlette.testclient import TestClient

from bgcheck import record
from bgcheck.instrument.surroundings import patterns_around
from support.apps import answer, note, starlette_app


def plain() -> int:
    return 1


def opened() -> Iterator[int]:
    yield 1


async def opened_async() -> AsyncIterator[int]:
    yield 1


class Opens:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


@functools.wraps(plain)
def wrapped() -> int:
    return plain()


def session() -> Iterator[Session]:
    yield Session()


async def async_session() -> "AsyncIterator[AsyncSession]":
    yield AsyncSession()


def above(inner: int = Depends(opened)) -> int:
    return inner


def patterns(app: Any, path: str = "/") -> set[str]:
    """Return the patterns around the task of one request."""
    with record() as bgtasks:
        TestClient(app).get(path)
    return set(bgtasks.requests[0].patterns)


def app_with(dependency: Any = None, **options: Any) -> FastAPI:
    app = FastAPI()
    dependencies = [] if dependency is None else [Depends(dependency)]

    @app.get("/", dependencies=dependencies, **options)
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(note)

    return app


@pytest.mark.parametrize(
    ("dependency", "found"),
    [
        (None, set()),
        (plain, {"dependency"}),
        (opened, {"dependency", "def-yield-dependency"}),
        (opened_async, {"dependency", "async-yield-dependency"}),
        (Opens(), {"dependency", "async-yield-dependency"}),
        (
            functools.partial(opened),
            {"dependency", "def-yield-dependency", "partial-dependency"},
        ),
        (wrapped, {"dependency", "wrapped-dependency"}),
        (session, {"dependency", "def-yield-dependency", "session-dependency"}),
        (async_session, {"dependency", "async-yield-dependency", "async-session-dependency"}),
        (above, {"dependency", "def-yield-dependency"}),
        (HTTPBearer(auto_error=False), {"dependency", "security-dependency"}),
    ],
)
def test_dependencies(dependency, found):
    assert patterns(app_with(dependency)) == {"async-endpoint", *found}


def test_a_context_manager_is_a_dependency_that_may_never_work():
    route = app_with(contextmanager(opened)).routes[-1]
    found = patterns_around({"type": "http", "route": route})
    assert found == {"dependency", "contextmanager-dependency"}


def test_a_dependency_without_cache():
    app = FastAPI()

    @app.get("/")
    def endpoint(tasks: BackgroundTasks, value: int = Depends(plain, use_cache=False)) -> None:
        tasks.add_task(note)

    assert patterns(app) == {"def-endpoint", "dependency", "uncached-dependency"}


def test_a_scope_of_the_function():
    try:
        scoped = Depends(opened, scope="function")  # pyright: ignore[reportCallIssue]
    except TypeError:
        pytest.skip(f"FastAPI {fastapi.__version__} has no scopes of dependencies")
    app = FastAPI()

    @app.get("/", dependencies=[scoped])
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(note)

    expected = {"def-endpoint", "dependency", "def-yield-dependency", "function-scope-dependency"}
    assert patterns(app) == expected


def test_the_dependencies_of_a_router_and_of_an_app_count():
    router = APIRouter(dependencies=[Depends(opened)])

    @router.get("/inner")
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(note)

    app = FastAPI(dependencies=[Depends(opened_async)])
    app.include_router(router, prefix="/outer")
    assert patterns(app, "/outer/inner") == {
        *("def-endpoint", "dependency", "def-yield-dependency", "async-yield-dependency")
    }


@pytest.mark.parametrize(
    ("kind", "found"),
    [(FileResponse, "file-response"), (StreamingResponse, "streaming-response")],
)
def test_responses_as_declared(kind, found):
    app = FastAPI()

    def endpoint(tasks: BackgroundTasks) -> Any:
        tasks.add_task(note)
        return StreamingResponse(iter("a"))

    app.get("/", response_class=kind)(endpoint)
    assert patterns(app) == {"def-endpoint", found}


def test_middleware():
    app = app_with()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    app.add_middleware(GZipMiddleware)
    app.add_middleware(CORSMiddleware)
    assert patterns(app) == {
        *("async-endpoint", "base-http-middleware", "gzip-middleware", "other-middleware")
    }


async def pass_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def test_a_plain_starlette_route_shows_its_endpoint():
    assert patterns(starlette_app(lambda: answer(note))) == {"async-endpoint"}


def test_a_route_of_two_apps_is_read_for_each():
    first, second = app_with(), FastAPI()
    second.router.routes.extend(first.routes)
    second.add_middleware(GZipMiddleware)
    assert patterns(first) == {"async-endpoint"}
    assert patterns(second) == {"async-endpoint", "gzip-middleware"}
    assert patterns(first) == {"async-endpoint"}
