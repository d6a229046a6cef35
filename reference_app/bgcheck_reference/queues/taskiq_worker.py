"""What a worker loads: `taskiq worker bgcheck_reference.queues.taskiq_worker:broker`."""

from bgcheck_reference.queues.known import worker_resources
from bgcheck_reference.queues.taskiq import TaskiqQueue
from bgcheck_reference.settings import Settings

_settings = Settings(task_queue="taskiq")
broker = TaskiqQueue(_settings, worker_resources(_settings)).broker
