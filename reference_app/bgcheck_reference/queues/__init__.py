"""Where tasks go: into the process by `BackgroundTasks`, or to the queue of the settings."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request

from bgcheck_reference.queues.base import TaskQueue
from bgcheck_reference.queues.embedded import EmbeddedQueue
from bgcheck_reference.queues.resources import ResourcesDep


def get_queue(
    request: Request, background_tasks: BackgroundTasks, resources: ResourcesDep
) -> TaskQueue:
    """Give the queue of the app, or the background tasks of this response."""
    queue: TaskQueue | None = request.app.state.queue
    return EmbeddedQueue(background_tasks, resources) if queue is None else queue


QueueDep = Annotated[TaskQueue, Depends(get_queue)]
