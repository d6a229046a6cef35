"""Notifying users: with the request's session as documented, and with a session of its own."""

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.models import Notification, User

logger = logging.getLogger(__name__)


async def send_notifications(user_ids: list[int], message: str, db: Session) -> None:
    """Notify users through the session of the request, as documented.

    Does not hold everywhere: FastAPI 0.106 to 0.117 has closed `db` before this starts, so it
    re-opens it in silence and nobody closes it again; and on every version the synchronous
    session blocks the event loop. `send_notifications_own_session` and
    `send_notifications_async_session` hold.

    Args:
        user_ids: whom to notify; unknown users are left out.
        message: what to tell them.
        db: the session that the request's dependency made.
    """
    for user_id in user_ids:
        if db.get(User, user_id) is None:
            logger.warning("No user %d to notify", user_id)
            continue
        db.add(Notification(user_id=user_id, message=message))
        logger.info("Notified user %d", user_id)
    db.commit()


def send_notifications_own_session(
    user_ids: Sequence[int], message: str, session_factory: sessionmaker[Session]
) -> None:
    """Notify users through a session made here, in a worker thread.

    Args:
        user_ids: whom to notify; unknown users are left out.
        message: what to tell them.
        session_factory: makes the session, which is closed before this returns or raises.
    """
    with session_factory.begin() as db:
        known = db.scalars(_known_users(user_ids))
        db.add_all(_notifications(user_ids, set(known), message))


async def send_notifications_async_session(
    user_ids: Sequence[int], message: str, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    """Notify users through an asynchronous session made here, on the event loop.

    Args:
        user_ids: whom to notify; unknown users are left out.
        message: what to tell them.
        session_factory: makes the session, which is closed before this returns or raises.
    """
    async with session_factory.begin() as db:
        known = await db.scalars(_known_users(user_ids))
        db.add_all(_notifications(user_ids, set(known), message))


def _known_users(user_ids: Sequence[int]) -> Select[int]:
    return select(User.id).where(User.id.in_(user_ids))


def _notifications(user_ids: Iterable[int], known: set[int], message: str) -> list[Notification]:
    notifications = []
    for user_id in user_ids:
        if user_id in known:
            notifications.append(Notification(user_id=user_id, message=message))
            logger.info("Notified user %d", user_id)
        else:
            logger.warning("No user %d to notify", user_id)
    return notifications
