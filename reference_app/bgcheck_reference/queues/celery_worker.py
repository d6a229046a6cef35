"""What a Celery worker loads: `celery -A bgcheck_reference.queues.celery_worker worker`."""

from bgcheck_reference.queues.celery import CeleryQueue
from bgcheck_reference.queues.known import worker_resources
from bgcheck_reference.settings import Settings

_settings = Settings(task_queue="celery")
app = CeleryQueue(_settings, worker_resources(_settings)).app
