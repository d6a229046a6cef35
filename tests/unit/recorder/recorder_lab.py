"""Schedule tasks without a client: by hand, or in a request to a small application."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTasks
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def schedule(func: Callable[..., Any], *args: Any, **kwargs: Any) -> BackgroundTasks:
    """Schedule one task that nothing runs."""
    tasks = BackgroundTasks()
    tasks.add_task(func, *args, **kwargs)
    return tasks


def run(tasks: BackgroundTasks) -> None:
    """Run tasks as a response would."""
    asyncio.run(tasks())


def answer(path: str, func: Callable[..., Any] | None = None, status: int = 200) -> None:
    """Have an application answer a request whose response carries a task of `func`."""

    async def endpoint(request: Request) -> Response:
        tasks = BackgroundTasks()
        if func is not None:
            tasks.add_task(func)
        return Response(status_code=status, background=tasks)

    template = "/items/{item_id}" if path.startswith("/items/") else path
    asyncio.run(_call(Starlette(routes=[Route(template, endpoint)]), path))


async def _call(app: Starlette, path: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [],
        "server": ("test", 80),
    }
    await app(scope, receive, send)
