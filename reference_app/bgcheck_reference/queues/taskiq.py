"""Tasks on taskiq."""

from collections.abc import Callable
from typing import Any

from taskiq import AsyncBroker, InMemoryBroker

from bgcheck_reference.queues.known import TASKS, with_resources
from bgcheck_reference.queues.resources import Resources
from bgcheck_reference.settings import Settings


class TaskiqQueue:
    """Sends tasks to taskiq; its `broker` is what a worker runs.

    Run one by `taskiq worker bgcheck_reference.queues.taskiq_worker:broker`. With the broker for
    tests, tasks run on the event loop that sends them.
    """

    def __init__(self, settings: Settings, resources: Resources) -> None:
        self.resources = resources
        self.broker = _make_broker(settings)
        self._tasks = {
            task: self.broker.task(task_name=task.__name__)(with_resources(task, resources))
            for task in TASKS
        }

    async def start(self) -> None:
        """Connect to the broker."""
        await self.broker.startup()

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self.broker.shutdown()

    async def add(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Send a task."""
        await self._tasks[task].kiq(*args, **kwargs)


def _make_broker(settings: Settings) -> AsyncBroker:
    if settings.queue_in_memory:
        return InMemoryBroker()
    from taskiq_redis import RedisStreamBroker  # a package of its own

    # A stream, unlike a list, keeps what a worker has taken and not acknowledged.
    return RedisStreamBroker(settings.queue_url.get_secret_value())
