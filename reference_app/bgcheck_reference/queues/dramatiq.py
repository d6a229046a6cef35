"""Tasks on Dramatiq."""

import functools
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware.asyncio import AsyncIO

from bgcheck_reference.queues.known import TASKS, with_resources
from bgcheck_reference.queues.resources import Resources
from bgcheck_reference.settings import Settings


class DramatiqQueue:
    """Sends tasks to Dramatiq; its `broker` is what a worker runs.

    Run one by `dramatiq bgcheck_reference.queues.dramatiq_worker:broker`. With the broker for
    tests, tasks wait until a test runs a worker.
    """

    def __init__(self, settings: Settings, resources: Resources) -> None:
        self.resources = resources
        self.broker = _make_broker(settings)
        self.broker.add_middleware(AsyncIO())
        self._tasks: dict[Callable[..., Any], Any] = {
            task: dramatiq.actor(actor_name=task.__name__, broker=self.broker)(
                with_resources(task, resources)
            )
            for task in TASKS
        }

    async def start(self) -> None:
        """Nothing to do: it connects with the first task."""

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await anyio.to_thread.run_sync(self.broker.close)

    async def add(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Send a task; the thread is there because Dramatiq waits for the broker."""
        send = functools.partial(self._tasks[task].send, *args, **kwargs)
        await anyio.to_thread.run_sync(send)


def _make_broker(settings: Settings) -> dramatiq.Broker:
    if settings.queue_in_memory:
        return StubBroker()
    from dramatiq.brokers.redis import RedisBroker  # needs the client of Redis

    url = settings.queue_url.get_secret_value()
    return RedisBroker(url=url)  # type: ignore[no-untyped-call]
