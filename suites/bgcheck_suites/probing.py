"""What many probes do: run one task, name what came of it, call an app on a loop of its own."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.types import ASGIApp, Message

from .apps import scheduling_app
from .events import LIMIT, Event, Log
from .lab import Exchange, Lab


def run_task(lab: Lab, func: Any, *args: Any, **kwargs: Any) -> Exchange:
    """Schedule one call in an async endpoint, and wait for the end of the app's call."""
    app = scheduling_app(lambda tasks: tasks.add_task(func, *args, **kwargs))
    return lab.send(app).end()


def raised(exchange: Exchange) -> str:
    """Name the errors that left the app, or say `nothing`."""
    return ", ".join(type(error).__name__ for error in exchange.root_errors()) or "nothing"


def outcome(exchange: Exchange) -> str:
    """Say how the one task of an answered request ended."""
    error = raised(exchange.answered())
    return "runs" if error == "nothing" else f"raises {error} when the task starts"


def attempt(action: Callable[[], object], *, where: str) -> str:
    """Say `accepted`, or which error an action raises, and where that is."""
    try:
        action()
    except Exception as error:
        return f"raises {type(error).__name__} {where}"
    return "accepted"


def place(event: Event) -> str:
    """Say where something happened."""
    return "on the event loop" if event.loop is not None else "in a worker thread"


def exit_order(lab: Lab, log: Log, dependency: Any) -> str:
    """Return where the `exit` of a dependency lies between response and task."""
    app = FastAPI()

    @app.get("/", dependencies=[dependency])
    def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(log.mark, "task")

    lab.send(app).settle()
    return order_of(log, "exit", "response complete", "task")


def depends_accepts(option: str) -> bool:
    """Whether `Depends` has an option on this stack."""
    return option in inspect.signature(Depends).parameters


def order_of(log: Log, *labels: str) -> str:
    """Return labels in the order in which they first happened."""
    found = sorted((log.first(label) for label in labels), key=lambda event: event.number)
    return ", ".join(event.label for event in found)


async def call_app(app: ASGIApp, path: str = "/") -> int | None:
    """Send `GET path` to an app on the running loop, and return the status when its call ends."""
    status: list[int] = []
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not requests:
            await asyncio.Event().wait()
        return requests.pop()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return status[0] if status else None


def on_a_loop(scenario: Coroutine[Any, Any, str]) -> str:
    """Run a scenario on an event loop of its own, at most LIMIT seconds."""
    return asyncio.run(asyncio.wait_for(scenario, LIMIT))
