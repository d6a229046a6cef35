"""The queue that the settings ask for; its library is imported only then."""

from bgcheck_reference.queues.base import RunningQueue
from bgcheck_reference.queues.known import worker_resources
from bgcheck_reference.settings import Settings


def make_queue(settings: Settings) -> RunningQueue | None:
    """Make the queue of the settings.

    Returns:
        The queue, or None where the background tasks of each response are the queue.

    Raises:
        ModuleNotFoundError: its library is not installed.
    """
    if settings.task_queue == "background":
        return None
    resources = worker_resources(settings)
    if settings.task_queue == "celery":
        from bgcheck_reference.queues.celery import CeleryQueue

        return CeleryQueue(settings, resources)
    if settings.task_queue == "taskiq":
        from bgcheck_reference.queues.taskiq import TaskiqQueue

        return TaskiqQueue(settings, resources)
    from bgcheck_reference.queues.dramatiq import DramatiqQueue

    return DramatiqQueue(settings, resources)
