"""Error recovery: work that is retried, that a restart does not lose, and that can be run again."""

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from bgcheck_reference.claims import apply_async, run_again
from bgcheck_reference.composing import TEMPLATES
from bgcheck_reference.db import AsyncDb, AsyncSessionFactory
from bgcheck_reference.models import Job, TaskState
from bgcheck_reference.routes.work import Intake, WorkIntake, known
from bgcheck_reference.schemas_jobs import BroadcastJob, EmailJob, JobKind, JobOut
from bgcheck_reference.tasks.jobs import run_job

router = APIRouter(tags=["Error recovery"])


@router.post("/jobs/email", status_code=202)
async def create_email_job(wanted: EmailJob, db: AsyncDb, intake: Intake) -> JobOut:
    """Send an e-mail that no restart loses; it may be sent twice if the process is killed.

    **Holds on every version.** The row is committed before the task is scheduled.
    """
    return await _create(JobKind.EMAIL, wanted, db, intake)


@router.post("/jobs/broadcast", status_code=202)
async def create_broadcast_job(wanted: BroadcastJob, db: AsyncDb, intake: Intake) -> JobOut:
    """Notify users exactly once: the notifications and the end of the job are one transaction.

    **Holds on every version.** The row is committed before the task is scheduled.
    """
    return await _create(JobKind.BROADCAST, wanted, db, intake)


@router.get("/jobs")
async def list_jobs(
    db: AsyncDb, state: TaskState | None = None, limit: int = Query(default=50, ge=1, le=500)
) -> list[JobOut]:
    """List the newest jobs, or those in one state."""
    return [JobOut.model_validate(job) for job in await _newest(db, state, limit)]


@router.get("/jobs/page", response_class=HTMLResponse)
async def jobs_page(db: AsyncDb, state: TaskState | None = None) -> str:
    """Show the newest jobs, with a button to run those again that failed."""
    jobs = await _newest(db, state, 50)
    shown = "" if state is None else state.value
    return TEMPLATES.get_template("jobs/jobs.html").render(jobs=jobs, state=shown)


@router.get("/jobs/{job_id}")
async def read_job(job_id: str, db: AsyncDb) -> JobOut:
    """Tell how a job fares."""
    return JobOut.model_validate(known(await db.get(Job, job_id), Job))


@router.post("/jobs/{job_id}/rerun", status_code=202)
async def rerun_job(job_id: str, session_factory: AsyncSessionFactory, intake: Intake) -> JobOut:
    """Run a failed job again, with all its attempts; of two who ask, one succeeds."""
    reset = await apply_async(session_factory, run_again(Job, job_id))
    async with session_factory() as db:  # a session of the request is open all through the task
        job = known(await db.get(Job, job_id), Job)
    if not reset:
        raise HTTPException(status_code=409, detail=f"The job is {job.state}, not failed")
    await intake.schedule(job, run_job)
    return JobOut.model_validate(job)


async def _create(
    kind: JobKind, wanted: EmailJob | BroadcastJob, db: AsyncDb, intake: WorkIntake
) -> JobOut:
    job = Job(kind=kind.value, payload=wanted.model_dump(mode="json"))
    await intake.store(db, job, run_job)
    return JobOut.model_validate(job)


async def _newest(db: AsyncDb, state: TaskState | None, limit: int) -> list[Job]:
    query = select(Job).order_by(Job.created_at.desc()).limit(limit)
    if state is not None:
        query = query.where(Job.state == state.value)
    return list(await db.scalars(query))
