"""What the tests of the reference app share."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import event
from starlette.testclient import TestClient

from bgcheck_reference.mailer import OutboxMailer
from bgcheck_reference.queues.resources import job_policy
from bgcheck_reference.tasks.jobs import run_job

LIMIT = 20.0
"""Seconds after which something that should happen is taken not to."""


class CommitError(Exception):
    """Raised in place of a commit."""


@contextmanager
def started_client(app: FastAPI) -> Iterator[TestClient]:
    """Start the app in Starlette's TestClient, and leave nothing open."""
    client = TestClient(app)
    with client:
        yield client
    # Starlette 0.27 leaves these open, and anyio 4 complains.
    for stream in (client.stream_send, client.stream_receive):
        stream.send_stream.close()
        stream.receive_stream.close()


@contextmanager
def listening(target: Any, name: str, function: Callable[..., None]) -> Iterator[None]:
    """Call a function on an event of SQLAlchemy, for the length of the block."""
    event.listen(target, name, function)
    try:
        yield
    finally:
        event.remove(target, name, function)


@dataclass
class Live:
    """The app behind a real uvicorn, and what happened there."""

    app: FastAPI
    events: list[str] = field(default_factory=list)
    _ended: "queue.Queue[BaseException | None]" = field(default_factory=queue.Queue)
    http: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the app, and note when the response is complete and when everything is over."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def watched(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.events.append("response complete")

        try:
            await self.app(scope, receive, watched)
        except BaseException as error:
            self._ended.put(error)
            raise
        self._ended.put(None)

    def wait(self) -> BaseException | None:
        """Wait until the next request is over, tasks included; return what it raised."""
        return self._ended.get(timeout=LIMIT)


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def running(app: FastAPI) -> Iterator[Live]:
    """Run the app, with its lifespan, on a real uvicorn in a thread."""
    served = Live(app)
    server = _Announcing(
        uvicorn.Config(served, port=0, loop="asyncio", ws="none", lifespan="on", log_config=None)
    )
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        assert server.ready.wait(LIMIT)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as served.http:
            yield served
    finally:
        server.should_exit = True
        thread.join(LIMIT)
    assert not thread.is_alive()


def run_together(database: Any, job_id: str, settings: Any, times: int) -> None:
    """Run a job so many times at once, as that many processes would."""

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(times):
                group.start_soon(run)
        await database.async_engine.dispose()

    async def run() -> None:
        await run_job(
            job_id,
            session_factory=database.async_session_factory,
            mailer=OutboxMailer(),
            policy=job_policy(settings),
        )

    anyio.run(all_of_them)
