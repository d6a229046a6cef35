"""Jobs that survive a failure and a restart: all that is known of one is in its row."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import anyio
from sqlalchemy import and_, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tenacity import AsyncRetrying

from bgcheck_reference.mailer import Mailer
from bgcheck_reference.models import Base, Job, Notification, TaskState, User
from bgcheck_reference.schemas_jobs import BroadcastJob, EmailJob, JobKind

logger = logging.getLogger(__name__)

Sessions = async_sessionmaker[AsyncSession]


@dataclass(frozen=True)
class RetryPolicy:
    """How often a job is tried, and how long one attempt and the pauses between may be."""

    attempts: int = 5
    delay: float = 1.0
    delay_max: float = 300.0
    attempt_seconds: float = 30.0

    def pause(self, attempts: int) -> float:
        """Give the seconds to wait after so many attempts."""
        return float(min(self.delay * 2 ** (attempts - 1), self.delay_max))

    @property
    def claim_seconds(self) -> float:
        """Seconds for which an attempt owns its job: longer than an attempt can take."""
        return 2 * self.attempt_seconds


@dataclass(frozen=True)
class _Claimed:
    """An attempt that nobody else is making."""

    job_id: str
    kind: str
    payload: dict[str, Any]
    attempts: int
    claim: str


async def run_job(
    job_id: str, *, session_factory: Sessions, mailer: Mailer, policy: RetryPolicy
) -> None:
    """Try a job until it is done, or has been tried often enough, or somebody else has it.

    Each attempt claims the row first, in one UPDATE, so that of two processes one makes it. How
    an attempt ended is in the row before anything else happens. The last failure is logged and
    stored; it is not raised, since that would keep later tasks of the response from running. A
    cancelled attempt gives the job back; a transaction is never cut off in the middle, which could
    leave its connection behind.

    Args:
        job_id: the row, which must be committed already.
        session_factory: makes a session for each change of the row.
        mailer: sends what is to be sent.
        policy: how often to try, and how long.
    """
    made = 0

    async def attempt() -> bool:
        nonlocal made
        claimed = await _claim(session_factory, job_id, policy)
        if claimed is None:
            return False
        made = claimed.attempts
        return await _attempt(claimed, session_factory, mailer, policy)

    retrying = AsyncRetrying(
        retry=lambda state: state.outcome is not None and state.outcome.result() is True,
        wait=lambda _: policy.pause(made),
        sleep=anyio.sleep,
    )
    await retrying(attempt)


async def due_jobs(session_factory: Sessions) -> Sequence[str]:
    """List the jobs that nobody works on although they could be worked on now."""
    unfinished = Job.state.in_([TaskState.PENDING.value, TaskState.RUNNING.value])
    query = select(Job.id).where(unfinished, Job.due_at <= _now()).order_by(Job.due_at)
    due: Sequence[str] = ()
    with anyio.CancelScope(shield=True):
        async with session_factory() as db:
            due = (await db.scalars(query)).all()
    return due


async def reset_job(session_factory: Sessions, job_id: str) -> bool:
    """Make a failed job pending again; tell whether it was there and had failed."""
    async with session_factory.begin() as db:
        query = update(Job).where(Job.id == job_id, Job.state == TaskState.FAILED.value)
        values = {"state": TaskState.PENDING.value, "attempts": 0, "error": None, "due_at": _now()}
        return await _changes_one(db, query.values(**values))


async def _attempt(
    job: _Claimed, session_factory: Sessions, mailer: Mailer, policy: RetryPolicy
) -> bool:
    """Make one attempt; tell whether there should be another."""
    try:
        with anyio.fail_after(policy.attempt_seconds):
            rows = await _do(job, session_factory, mailer)
            await _finish(job, session_factory, rows)
    except Exception as error:
        return await _record_failure(job, session_factory, policy, error)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _release(job, session_factory, state=TaskState.PENDING, due_at=_now())
        raise
    return False


async def _do(job: _Claimed, session_factory: Sessions, mailer: Mailer) -> list[Base]:
    """Do the work of a job; return the rows to store in the transaction that ends it."""
    if job.kind == JobKind.BROADCAST:
        return await _notifications(BroadcastJob.model_validate(job.payload), session_factory)
    await mailer.send(_compose(job))
    return []


async def _notifications(wanted: BroadcastJob, session_factory: Sessions) -> list[Base]:
    async with session_factory() as db:
        known = set(await db.scalars(select(User.id).where(User.id.in_(wanted.user_ids))))
    return [
        Notification(user_id=user_id, message=wanted.message)
        for user_id in wanted.user_ids
        if user_id in known
    ]


def _compose(job: _Claimed) -> EmailMessage:
    email = EmailJob.model_validate(job.payload)
    message = EmailMessage()
    message["Subject"] = email.content.subject
    message["To"] = ", ".join(email.recipients)
    # The same for each attempt, so that whoever gets it twice can tell.
    message["Message-ID"] = f"<{job.job_id}@bgcheck-reference>"
    message.set_content(email.content.body)
    return message


async def _claim(session_factory: Sessions, job_id: str, policy: RetryPolicy) -> _Claimed | None:
    """Take a job that is pending, or whose owner has not finished in time."""
    now = _now()
    free = or_(
        Job.state == TaskState.PENDING.value,
        and_(Job.state == TaskState.RUNNING.value, Job.due_at <= now),
    )
    claim = str(uuid4())
    values = {
        "state": TaskState.RUNNING.value,
        "claim": claim,
        "attempts": Job.attempts + 1,
        "due_at": now + timedelta(seconds=policy.claim_seconds),
    }
    with anyio.CancelScope(shield=True):
        async with session_factory.begin() as db:
            if not await _changes_one(
                db, update(Job).where(Job.id == job_id, free).values(**values)
            ):
                return None
            job = await db.get_one(Job, job_id)
            return _Claimed(job_id, job.kind, job.payload, job.attempts, claim)
    return None  # no way here: nothing cancels the scope, but its type says that it may


async def _finish(job: _Claimed, session_factory: Sessions, rows: list[Base]) -> None:
    """Store the effect and the end of a job together, or, if another took it over, neither."""
    with anyio.CancelScope(shield=True):
        async with session_factory.begin() as db:
            query = update(Job).where(Job.id == job.job_id, Job.claim == job.claim)
            values = {"state": TaskState.DONE.value, "claim": None, "error": None}
            if not await _changes_one(db, query.values(**values)):
                raise RuntimeError("The attempt took too long, and another has taken the job over")
            db.add_all(rows)


async def _record_failure(
    job: _Claimed, session_factory: Sessions, policy: RetryPolicy, error: Exception
) -> bool:
    message = f"{type(error).__name__}: {error}"
    if job.attempts >= policy.attempts:
        logger.exception("Job %s failed for good after %d attempts", job.job_id, job.attempts)
        await _release(job, session_factory, state=TaskState.FAILED, error=message)
        return False
    logger.warning("Attempt %d of job %s failed: %s", job.attempts, job.job_id, message)
    due_at = _now() + timedelta(seconds=policy.pause(job.attempts))
    return await _release(
        job, session_factory, state=TaskState.PENDING, error=message, due_at=due_at
    )


async def _release(
    job: _Claimed, session_factory: Sessions, state: TaskState, **values: object
) -> bool:
    mine = False
    with anyio.CancelScope(shield=True):
        async with session_factory.begin() as db:
            query = update(Job).where(Job.id == job.job_id, Job.claim == job.claim)
            mine = await _changes_one(db, query.values(state=state.value, claim=None, **values))
    return mine


async def _changes_one(db: AsyncSession, statement: Any) -> bool:
    result = await db.execute(statement, execution_options={"synchronize_session": False})
    return isinstance(result, CursorResult) and result.rowcount == 1


def _now() -> datetime:
    return datetime.now(timezone.utc)
