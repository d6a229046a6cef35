"""No queue: the tasks run in this process, after the response."""

from collections.abc import Callable
from typing import Any

from fastapi import BackgroundTasks

from bgcheck_reference.queues.resources import Resources, resources_of


class EmbeddedQueue:
    """The background tasks of one response."""

    def __init__(self, background_tasks: BackgroundTasks, resources: Resources) -> None:
        self._background_tasks = background_tasks
        self._resources = resources

    async def add(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Have a task run after the response."""
        resources = resources_of(task, self._resources)
        self._background_tasks.add_task(task, *args, **kwargs, **resources)
