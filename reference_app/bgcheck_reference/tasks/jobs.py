"""Jobs that are tried again until they are done, or have failed for good."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

import anyio
from sqlalchemy import select
from tenacity import AsyncRetrying

from bgcheck_reference.claims import (
    AsyncSessions,
    Claim,
    ClaimPolicy,
    LostClaimError,
    apply_async,
    described,
    undisturbed,
)
from bgcheck_reference.mailer import Mailer
from bgcheck_reference.models import Base, Job, Notification, TaskState, User
from bgcheck_reference.schemas_jobs import BroadcastJob, EmailJob, JobKind

logger = logging.getLogger(__name__)


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
    def claims(self) -> ClaimPolicy:
        """How long an attempt owns its job: longer than an attempt can take."""
        return ClaimPolicy(2 * self.attempt_seconds, self.attempts)


@dataclass(frozen=True)
class _Claimed:
    """An attempt that nobody else is making."""

    claim: Claim
    kind: str
    payload: dict[str, Any]
    attempts: int


async def run_job(
    job_id: str, *, session_factory: AsyncSessions, mailer: Mailer, policy: RetryPolicy
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
        claimed = await _take(Claim(Job, job_id, policy.claims), session_factory)
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


async def _attempt(
    job: _Claimed, session_factory: AsyncSessions, mailer: Mailer, policy: RetryPolicy
) -> bool:
    """Make one attempt; tell whether there should be another."""
    try:
        with anyio.fail_after(policy.attempt_seconds):
            rows = await _do(job, session_factory, mailer)
            await _finish(job, session_factory, rows)
    except Exception as error:
        return await _record_failure(job, session_factory, policy, error)
    except BaseException:
        await apply_async(session_factory, job.claim.give_back())
        raise
    return False


async def _do(job: _Claimed, session_factory: AsyncSessions, mailer: Mailer) -> list[Base]:
    """Do the work of a job; return the rows to store in the transaction that ends it."""
    if job.kind == JobKind.BROADCAST:
        return await _notifications(BroadcastJob.model_validate(job.payload), session_factory)
    await mailer.send(_compose(job))
    return []


async def _notifications(wanted: BroadcastJob, session_factory: AsyncSessions) -> list[Base]:
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
    message["Message-ID"] = f"<{job.claim.row_id}@bgcheck-reference>"
    message.set_content(email.content.body)
    return message


async def _take(claim: Claim, session_factory: AsyncSessions) -> _Claimed | None:
    """Begin an attempt, unless the job is over or somebody else is making one."""
    claimed = None
    async with undisturbed(session_factory) as db:
        if await db.scalar(claim.take()) is not None:
            job = await db.get_one(Job, claim.row_id)
            claimed = _Claimed(claim, job.kind, job.payload, job.attempts)
    return claimed


async def _finish(job: _Claimed, session_factory: AsyncSessions, rows: list[Base]) -> None:
    """Store the effect and the end of a job together, or, if another took it over, neither."""
    async with undisturbed(session_factory) as db:
        if await db.scalar(job.claim.end()) is None:
            raise LostClaimError("The attempt took too long, and another has taken the job over")
        db.add_all(rows)


async def _record_failure(
    job: _Claimed, session_factory: AsyncSessions, policy: RetryPolicy, error: Exception
) -> bool:
    if job.attempts >= policy.attempts:
        logger.exception("%s failed for good after %d attempts", job.claim, job.attempts)
        await apply_async(session_factory, job.claim.fail(error))
        return False
    pause = timedelta(seconds=policy.pause(job.attempts))
    later = job.claim.end(
        state=TaskState.PENDING.value,
        error=described(error),
        due_at=datetime.now(timezone.utc) + pause,
    )
    logger.warning("Attempt %d of %s failed: %s", job.attempts, job.claim, described(error))
    return await apply_async(session_factory, later)
