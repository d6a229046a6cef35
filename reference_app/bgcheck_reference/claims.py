"""Work that outlives its process: one owner at a time, and all that is known of it in its row.

Whoever works on a row owns it for a time, by one UPDATE that of many at once succeeds for one. An
owner that dies loses it when that time is over; one that is late finds it taken, and stores no end.
"""

import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

import anyio
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql.dml import ReturningUpdate

from bgcheck_reference.models import DurableWork, TaskState

logger = logging.getLogger(__name__)

Sessions: TypeAlias = sessionmaker[Session]
AsyncSessions: TypeAlias = async_sessionmaker[AsyncSession]
Change: TypeAlias = ReturningUpdate[Any]
"""A change of rows that returns their ids; none, where nothing was to be changed."""

TAKEN_UP_AT_ONCE = 100


class LostClaimError(Exception):
    """The work took too long, and another has taken it over."""


class Note(Protocol):
    """Stores values in a row that is being worked on, and so keeps it for longer."""

    def __call__(self, **values: Any) -> None:
        """Store them, or raise `LostClaimError`."""


@dataclass(frozen=True)
class ClaimPolicy:
    """How long a row belongs to whoever works on it, and how often it may be begun."""

    seconds: float = 120.0
    attempts: int = 5


@dataclass(frozen=True)
class Claim:
    """The right to work on a row, once `take` has changed it."""

    model: type[DurableWork]
    row_id: str
    policy: ClaimPolicy
    token: str = field(default_factory=lambda: str(uuid4()))

    def __str__(self) -> str:
        return f"{self.model.label} {self.row_id}"

    def take(self) -> Change:
        """Begin, if nobody else is at it and it has not been begun too often."""
        free = or_(_pending(self.model), _abandoned(self.model))
        allowed = self.model.attempts < self.policy.attempts
        return self._change(
            and_(free, allowed),
            state=TaskState.RUNNING.value,
            claim=self.token,
            attempts=self.model.attempts + 1,
            error=None,
            due_at=_now(self.policy.seconds),
        )

    def keep(self, pause: float = 0.0, **values: Any) -> Change:
        """Store values, and own the row for longer: a pause longer than usual, if one is given."""
        return self._mine(due_at=_now(pause + self.policy.seconds), **values)

    def end(self, **values: Any) -> Change:
        """Store how it ended: done, unless the values say otherwise."""
        return self._mine(**{"state": TaskState.DONE.value, "error": None, "claim": None, **values})

    def fail(self, error: Exception) -> Change:
        """Store that it failed for good."""
        return self.end(state=TaskState.FAILED.value, error=described(error))

    def give_back(self) -> Change:
        """Leave it to whoever comes next; this attempt does not count."""
        return self.end(
            state=TaskState.PENDING.value, due_at=_now(), attempts=self.model.attempts - 1
        )

    def _mine(self, **values: Any) -> Change:
        return self._change(self.model.claim == self.token, **values)

    def _change(self, condition: ColumnElement[bool], **values: Any) -> Change:
        mine = and_(self.model.id == self.row_id, condition)
        return update(self.model).where(mine).values(**values).returning(self.model.id)


def perform(claim: Claim, sessions: Sessions, work: Callable[[Note], Mapping[str, Any]]) -> None:
    """Do the work behind a row, unless it is done or somebody else does it.

    A failure is logged and stored in the row; it is not raised, since that would keep later tasks
    of the response from running.

    Args:
        claim: the row.
        sessions: makes a session for each change of the row; none is open during the work.
        work: does it, and returns what to store with its end.
    """

    def note(**values: Any) -> None:
        if not apply(sessions, claim.keep(**values)):
            raise LostClaimError

    if not apply(sessions, claim.take()):
        _log_nothing_to_do(claim)
        return
    try:
        with _kept(claim, sessions):
            values = work(note)
        ended = apply(sessions, claim.end(**values))
    except LostClaimError:
        ended = False
    except Exception as error:
        logger.exception("%s failed", claim)
        ended = apply(sessions, claim.fail(error))
    except BaseException:
        apply(sessions, claim.give_back())
        raise
    if not ended:
        _log_lost(claim)


@contextmanager
def _kept(claim: Claim, sessions: Sessions) -> Iterator[None]:
    """Own a row for as long as the block runs in this process, however long that is."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(claim.policy.seconds / 3):
            try:
                apply(sessions, claim.keep())
            except Exception:  # the next one may succeed, before the claim ends
                logger.exception("Could not keep %s", claim)

    keeper = threading.Thread(target=keep, name=f"keeps {claim}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


async def perform_async(
    claim: Claim, sessions: AsyncSessions, work: Callable[[], Awaitable[Mapping[str, Any]]]
) -> None:
    """Do the work behind a row as `perform` does; if it is cancelled, the row is given back.

    The work itself keeps the row, by a note in time.
    """
    if not await apply_async(sessions, claim.take()):
        _log_nothing_to_do(claim)
        return
    try:
        ended = await apply_async(sessions, claim.end(**await work()))
    except LostClaimError:
        ended = False
    except Exception as error:
        logger.exception("%s failed", claim)
        ended = await apply_async(sessions, claim.fail(error))
    except BaseException:
        await apply_async(sessions, claim.give_back())
        raise
    if not ended:
        _log_lost(claim)


def apply(sessions: Sessions, change: Change) -> bool:
    """Change a row in a transaction of its own; tell whether there was one to change."""
    with sessions.begin() as db:
        return db.scalar(change) is not None


async def apply_async(sessions: AsyncSessions, change: Change) -> bool:
    """Change a row as `apply` does."""
    async with undisturbed(sessions) as db:
        return await db.scalar(change) is not None


@asynccontextmanager
async def undisturbed(sessions: AsyncSessions) -> AsyncIterator[AsyncSession]:
    """Give a session that commits at the end of the block.

    No cancellation cuts it off in the middle, which could leave the connection behind.
    """
    with anyio.CancelScope(shield=True):
        async with sessions.begin() as db:
            yield db


def run_again(model: type[DurableWork], row_id: str) -> Change:
    """Make a failed row pending, with all its attempts."""
    failed = and_(model.id == row_id, model.state == TaskState.FAILED.value)
    values = {"state": TaskState.PENDING.value, "attempts": 0, "error": None, "due_at": _now()}
    return update(model).where(failed).values(**values).returning(model.id)


def give_up(model: type[DurableWork], policy: ClaimPolicy) -> Change:
    """Fail what has been begun as often as it may be, and has never ended."""
    spent = and_(_abandoned(model), model.attempts >= policy.attempts)
    error = f"Begun {policy.attempts} times; who began it last has ended, or took too long"
    values = {"state": TaskState.FAILED.value, "claim": None, "error": error}
    return update(model).where(spent).values(**values).returning(model.id)


def take_up(model: type[DurableWork], grace: float) -> Change:
    """Make pending what its owner has left, and choose what nobody has begun in time.

    Args:
        model: the table.
        grace: seconds for which a pending row is left to whoever was told of it first.
    """
    waiting = and_(_pending(model), model.due_at <= _now(-grace))
    left = or_(waiting, _abandoned(model))
    oldest = select(model.id).where(left).order_by(model.due_at).limit(TAKEN_UP_AT_ONCE)
    values = {"state": TaskState.PENDING.value, "claim": None, "due_at": _now()}
    return update(model).where(left, model.id.in_(oldest)).values(**values).returning(model.id)


def described(error: Exception) -> str:
    """Say in one line what went wrong."""
    return f"{type(error).__name__}: {error}"


def _pending(model: type[DurableWork]) -> ColumnElement[bool]:
    return model.state == TaskState.PENDING.value


def _abandoned(model: type[DurableWork]) -> ColumnElement[bool]:
    return and_(model.state == TaskState.RUNNING.value, model.due_at <= _now())


def _now(seconds: float = 0.0) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def _log_nothing_to_do(claim: Claim) -> None:
    logger.info("%s is over, or somebody else is at it", claim)


def _log_lost(claim: Claim) -> None:
    logger.warning("%s took too long, and another has taken it over", claim)
