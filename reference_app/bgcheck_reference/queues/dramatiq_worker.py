"""What a worker loads: `dramatiq bgcheck_reference.queues.dramatiq_worker:broker`."""

from bgcheck_reference.queues.dramatiq import DramatiqQueue
from bgcheck_reference.queues.known import worker_resources
from bgcheck_reference.settings import Settings

_settings = Settings(task_queue="dramatiq")
broker = DramatiqQueue(_settings, worker_resources(_settings)).broker
