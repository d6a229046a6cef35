"""Tasks on Celery."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
from celery import Celery  # type: ignore[import-untyped]

from bgcheck_reference.queues.known import TASKS, with_resources
from bgcheck_reference.queues.resources import Resources
from bgcheck_reference.settings import Settings


class CeleryQueue:
    """Sends tasks to Celery; its `app` is what a worker runs.

    Run one by `celery -A bgcheck_reference.queues.celery_worker worker`. With the broker for
    tests, tasks run at once, as Celery's `task_always_eager` does it.
    """

    def __init__(self, settings: Settings, resources: Resources) -> None:
        self.resources = resources
        url = settings.queue_url.get_secret_value()
        self.app = Celery("bgcheck_reference", broker=url, set_as_current=False)
        self.app.conf.update(
            task_always_eager=settings.queue_in_memory,
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=True,
            # A task that a worker has not finished is given to another one.
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            broker_connection_retry_on_startup=True,
        )
        self._tasks = {task: self._register(task) for task in TASKS}

    def _register(self, task: Callable[..., Any]) -> Any:
        return self.app.task(name=task.__name__, shared=False)(
            _blocking(with_resources(task, self.resources))
        )

    async def start(self) -> None:
        """Nothing to do: it connects with the first task."""

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await anyio.to_thread.run_sync(self.app.close)

    async def add(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Send a task; the thread is there because Celery waits for the broker."""
        send = functools.partial(self._tasks[task].delay, *args, **kwargs)
        await anyio.to_thread.run_sync(send)


def _blocking(task: Callable[..., Any]) -> Callable[..., Any]:
    """Give an `async def` task an event loop of its own: Celery knows none."""
    if not inspect.iscoroutinefunction(task):
        return task

    @functools.wraps(task)
    def run(*args: Any, **kwargs: Any) -> Any:
        return anyio.run(functools.partial(task, *args, **kwargs))

    return run
