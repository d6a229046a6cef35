"""Taking up the work that a process has left: at the start of the app, and while it runs."""

import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from fastapi import FastAPI

from bgcheck_reference.claims import AsyncSessions, give_up, take_up, undisturbed
from bgcheck_reference.models import DurableWork, Export, Image, Job, Mailing, Run
from bgcheck_reference.queues.resources import claim_policy, make_resources, resources_of
from bgcheck_reference.settings import Settings
from bgcheck_reference.tasks.exports import make_export
from bgcheck_reference.tasks.images import make_image
from bgcheck_reference.tasks.jobs import run_job
from bgcheck_reference.tasks.mailings import send_mailing
from bgcheck_reference.tasks.runs import work_in_steps

logger = logging.getLogger(__name__)

TASKS: dict[type[DurableWork], Callable[..., Any]] = {
    Mailing: send_mailing,
    Export: make_export,
    Image: make_image,
    Job: run_job,
    Run: work_in_steps,
}
"""What does the work behind a row, given its id."""


@asynccontextmanager
async def recovering(app: FastAPI) -> AsyncIterator[None]:
    """Take up unfinished work while the block runs; at its end, give back what is at work."""
    async with anyio.create_task_group() as group:
        await _look(app, group)  # before the first request, which then finds no look under way
        group.start_soon(_sweep, app, group)
        yield
        group.cancel_scope.cancel()


async def _sweep(app: FastAPI, group: TaskGroup) -> None:
    seconds = app.state.settings.job_sweep_seconds
    while True:
        await anyio.sleep(seconds)
        await _look(app, group)


async def _look(app: FastAPI, group: TaskGroup) -> None:
    for model, task in TASKS.items():
        try:
            for row_id in await _left(app, model):
                logger.info("Taking up %s %s", model.label, row_id)
                await _begin(app, group, task, row_id)
        except Exception:
            logger.exception("Could not take up unfinished work: %s", model.label)


async def _left(app: FastAPI, model: type[DurableWork]) -> list[str]:
    """Fail what was begun too often, and choose what is to be begun again."""
    settings: Settings = app.state.settings
    sessions: AsyncSessions = app.state.database.async_session_factory
    found: list[str] = []
    async with undisturbed(sessions) as db:
        for row_id in await db.scalars(give_up(model, claim_policy(settings))):
            logger.error("%s %s was begun too often", model.label, row_id)
        found.extend(await db.scalars(take_up(model, _grace(settings))))
    return found


def _grace(settings: Settings) -> float:
    if settings.grace_seconds is not None:
        return settings.grace_seconds
    return 30.0 if settings.task_queue == "background" else 900.0


async def _begin(app: FastAPI, group: TaskGroup, task: Callable[..., Any], row_id: str) -> None:
    if app.state.queue is None:
        group.start_soon(_run, app, task, row_id)
    else:
        await app.state.queue.add(task, row_id)


async def _run(app: FastAPI, task: Callable[..., Any], row_id: str) -> None:
    work = partial(task, row_id, **resources_of(task, _resources(app)))
    try:
        if inspect.iscoroutinefunction(task):
            await work()
        else:
            await anyio.to_thread.run_sync(work)
    except Exception:
        # The row says how far it came; the others and the app go on.
        logger.exception("Could not run %s %s", task.__name__, row_id)


def _resources(app: FastAPI) -> Any:
    state = app.state
    factories = state.database.session_factory, state.database.async_session_factory
    return make_resources(state.settings, state.mailer, state.image_stores, *factories)
