"""Progress: a row to poll, a stream of events, and a page that shows the bar."""

from collections.abc import AsyncIterator

import anyio
from fastapi import APIRouter, Request, status
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bgcheck_reference.composing import TEMPLATES
from bgcheck_reference.db import AsyncDb, AsyncSessionFactory
from bgcheck_reference.models import Run, TaskState
from bgcheck_reference.routes.work import Intake, known
from bgcheck_reference.schemas_runs import RunOut, RunRequest
from bgcheck_reference.settings import SettingsDep
from bgcheck_reference.tasks.runs import STEPS_PER_LEVEL, work_in_steps

router = APIRouter(tags=["Progress"])

FINISHED = {TaskState.DONE, TaskState.FAILED}
KEEP_ALIVE_POLLS = 30
"""Polls without news after which a comment keeps the connection from being taken for dead."""


@router.post("/runs", status_code=status.HTTP_202_ACCEPTED)
async def create_run(wanted: RunRequest, db: AsyncDb, intake: Intake) -> RunOut:
    """Start a run; the `Location` tells how far it has come, and `/events` under it streams it.

    **Holds on every version.** The row is committed before the task is scheduled.
    """
    run = Run(name=wanted.name, steps_total=wanted.levels * STEPS_PER_LEVEL)
    await intake.store(db, run, work_in_steps)
    return RunOut.model_validate(run)


@router.get("/runs/{run_id}")
async def read_run(run_id: str, db: AsyncDb) -> RunOut:
    """Tell how far a run has come."""
    return RunOut.model_validate(known(await db.get(Run, run_id), Run))


@router.get("/runs/{run_id}/events")
async def stream_run(
    run_id: str, request: Request, session_factory: AsyncSessionFactory, settings: SettingsDep
) -> StreamingResponse:
    """Stream the progress as server-sent events; the last one is named `end`."""
    async with session_factory() as db:
        run = RunOut.model_validate(known(await db.get(Run, run_id), Run))
    return StreamingResponse(
        run_events(run, request, session_factory, settings.progress_poll_seconds),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@router.get("/progress", response_class=HTMLResponse)
def progress_page() -> str:
    """Show a page that starts a run and watches its bar."""
    return TEMPLATES.get_template("runs/progress.html").render()


async def run_events(
    run: RunOut,
    request: Request,
    session_factory: async_sessionmaker[AsyncSession],
    poll_seconds: float,
) -> AsyncIterator[str]:
    """Give an event for each change, until the run is over or the client has left.

    No session is open while this waits.
    """
    yield _event(run)
    quiet = 0
    while run.state not in FINISHED and not await request.is_disconnected():
        await anyio.sleep(poll_seconds)
        latest = await _read(session_factory, run.id)
        if latest is None:
            return
        quiet = 0 if latest != run else quiet + 1
        if latest != run:
            yield _event(latest)
        elif quiet % KEEP_ALIVE_POLLS == 0:
            yield ": still there\n\n"
        run = latest


def _event(run: RunOut) -> str:
    name = "end" if run.state in FINISHED else "progress"
    return f"event: {name}\nid: {run.steps_done}\ndata: {run.model_dump_json()}\n\n"


async def _read(session_factory: async_sessionmaker[AsyncSession], run_id: str) -> RunOut | None:
    async with session_factory() as db:
        run = await db.get(Run, run_id)
        return None if run is None else RunOut.model_validate(run)
