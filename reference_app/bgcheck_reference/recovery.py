"""Taking up the jobs that a process has left: at the start of the app, and while it runs."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bgcheck_reference.db import Database
from bgcheck_reference.settings import Settings
from bgcheck_reference.tasks.jobs import RetryPolicy, due_jobs, run_job

logger = logging.getLogger(__name__)


def policy_of(settings: Settings) -> RetryPolicy:
    """Give the retry policy that the settings ask for."""
    return RetryPolicy(
        settings.job_attempts,
        settings.job_retry_delay,
        settings.job_retry_delay_max,
        settings.job_attempt_seconds,
    )


@asynccontextmanager
async def recovering(app: FastAPI) -> AsyncIterator[None]:
    """Take up unfinished jobs while the block runs; at its end, give back those at work."""
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
    try:
        due = await due_jobs(_sessions(app))
    except Exception:
        logger.exception("Could not look for unfinished jobs")
        return
    for job_id in due:
        logger.info("Taking up job %s", job_id)
        group.start_soon(_run, app, job_id)


async def _run(app: FastAPI, job_id: str) -> None:
    try:
        await run_job(
            job_id,
            session_factory=_sessions(app),
            mailer=app.state.mailer,
            policy=policy_of(app.state.settings),
        )
    except Exception:
        # The row says how far it came; the others and the app go on.
        logger.exception("Could not run job %s", job_id)


def _sessions(app: FastAPI) -> async_sessionmaker[AsyncSession]:
    database = app.state.database
    assert isinstance(database, Database)
    return database.async_session_factory
