"""`bgcheck.instrument.route`: the template of the route that answered, on every version."""

from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from support.apps import answer, note
from support.clients import by_asgi


def endpoint(item_id: int, tasks: BackgroundTasks) -> None:
    tasks.add_task(note)


async def view(request: Any) -> Response:
    return answer(note)


def plain() -> Any:
    app = FastAPI()
    app.get("/items/{item_id}")(endpoint)
    return app


def included() -> Any:
    router, app = APIRouter(prefix="/items"), FastAPI()
    router.get("/{item_id}")(endpoint)
    app.include_router(router)
    return app


def included_twice() -> Any:
    inner, outer, app = APIRouter(), APIRouter(), FastAPI()
    inner.get("/{item_id}")(endpoint)
    outer.include_router(inner, prefix="/items")
    app.include_router(outer, prefix="/api")
    return app


def mounted(sub: Any, path: str = "/api") -> Any:
    app = FastAPI()
    app.mount(path, sub)
    return app


def starlette(path: str = "/items/{item_id:int}") -> Any:
    return Starlette(routes=[Route(path, view)])


CASES = [
    (plain(), "/items/1", "/items/{item_id}"),
    (included(), "/items/1", "/items/{item_id}"),
    (included_twice(), "/api/items/1", "/api/items/{item_id}"),
    (mounted(plain()), "/api/items/1", "/api/items/{item_id}"),
    (mounted(included()), "/api/items/1", "/api/items/{item_id}"),
    (mounted(mounted(plain()), "/v1"), "/v1/api/items/1", "/v1/api/items/{item_id}"),
    (starlette(), "/items/1", "/items/{item_id}"),
    (Router([Route("/items/{item_id}", view)]), "/items/1", "/items/{item_id}"),
    (
        Starlette(routes=[Mount("/api", routes=[Route("/items/{item_id}", view)])]),
        "/api/items/1",
        "/api/items/{item_id}",
    ),
    (
        Starlette(routes=[Mount("/api", starlette("/items/{item_id}"))]),
        "/api/items/1",
        "/api/items/{item_id}",
    ),
]


@pytest.mark.parametrize(("app", "path", "route"), CASES, ids=range(len(CASES)))
def test_route(app: Any, path: str, route: str, bgtasks: Any) -> None:
    assert by_asgi(app, "GET", path) == 200
    (task,) = bgtasks
    assert (task.request.path, task.request.route) == (path, route)
    assert bgtasks.of(path=route) == list(bgtasks)


def test_route_is_known_while_the_request_runs(bgtasks: Any) -> None:
    seen: list[Any] = []

    def look(item_id: int, tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: seen.append(bgtasks[0].request.route))

    app = FastAPI()
    app.get("/items/{item_id}")(look)
    by_asgi(app, "GET", "/items/1")
    assert seen == ["/items/{item_id}"]


def test_root_path_of_a_proxy_is_no_part_of_the_route(bgtasks: Any) -> None:
    import asyncio

    from support.clients import asgi

    asyncio.run(asgi(plain(), "GET", "/items/1", root_path="/proxy"))
    assert bgtasks[0].request.route == "/items/{item_id}"


def test_no_route(bgtasks: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(note)(scope, receive, send)

    by_asgi(app, "GET", "/x")
    assert bgtasks[0].request.route is None
