"""The tasks that may come from a queue, and what a worker gives them."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from bgcheck_reference.db import Database
from bgcheck_reference.image_stores import make_stores
from bgcheck_reference.queues.resources import Resources, make_resources, resources_of
from bgcheck_reference.settings import Settings
from bgcheck_reference.smtp import make_mailer
from bgcheck_reference.tasks.exports import make_export
from bgcheck_reference.tasks.images import make_image
from bgcheck_reference.tasks.items import process_item
from bgcheck_reference.tasks.jobs import run_job
from bgcheck_reference.tasks.mailings import send_mailing
from bgcheck_reference.tasks.reports import make_report
from bgcheck_reference.tasks.runs import work_in_steps

TASKS: tuple[Callable[..., Any], ...] = (
    process_item,
    make_report,
    make_export,
    make_image,
    run_job,
    send_mailing,
    work_in_steps,
)


def worker_resources(settings: Settings) -> Resources:
    """Make the resources of a worker, which has no app.

    Its connections are not pooled: a worker may run each task in another event loop.
    """
    database = Database.from_url(settings.database_url, pooled=False)
    return make_resources(
        settings,
        make_mailer(settings),
        make_stores(settings),
        database.session_factory,
        database.async_session_factory,
    )


def with_resources(task: Callable[..., Any], resources: Resources) -> Callable[..., Any]:
    """Wrap a task, so that a queue need only carry its other arguments."""
    given = functools.partial(task, **resources_of(task, resources))
    functools.update_wrapper(given, task)
    del given.__wrapped__  # type: ignore[attr-defined] # or its signature would hide what is given

    @functools.wraps(given)
    def run(*args: Any, **kwargs: Any) -> Any:
        return given(*args, **kwargs)

    @functools.wraps(given)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        return await given(*args, **kwargs)

    return run_async if inspect.iscoroutinefunction(task) else run
