"""A database session for a task: the request's as documented, or one of its own."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Body, Path, Query
from sqlalchemy import select

from bgcheck_reference.db import AsyncSessionFactory, Db, SessionFactory
from bgcheck_reference.models import Notification
from bgcheck_reference.schemas import MAX_ID, NO_NUL, BroadcastStarted, NotificationOut, UserId
from bgcheck_reference.tasks.broadcast import (
    send_notifications,
    send_notifications_async_session,
    send_notifications_own_session,
)

router = APIRouter(tags=["Database sessions"])

MESSAGE: Any = Query(max_length=10_000, pattern=NO_NUL, examples=["Maintenance at noon"])
USER_IDS: Any = Body(max_length=1000, examples=[[1, 2, 3]])


@router.post("/broadcast/", summary="Broadcast (as documented)")
async def broadcast_message(
    background_tasks: BackgroundTasks,
    db: Db,
    message: str = MESSAGE,
    user_ids: list[UserId] = USER_IDS,
) -> BroadcastStarted:
    """Notify users in a task that is given the session of the request.

    **As documented; does not hold everywhere.** FastAPI 0.106 to 0.117 closes the session before
    the response is sent: the task re-opens it in silence, and if the task fails nobody closes it.
    FastAPI below 0.106 and from 0.118 closes it after the task. On every version the task is
    `async def` and the session synchronous, so each query blocks the event loop.
    `/broadcast/own-session` and `/broadcast/async-session` hold.
    """
    background_tasks.add_task(send_notifications, user_ids, message, db)
    return BroadcastStarted(recipients=len(user_ids))


@router.post("/broadcast/own-session", summary="Broadcast (session made in a def task)")
async def broadcast_own_session(
    background_tasks: BackgroundTasks,
    session_factory: SessionFactory,
    message: str = MESSAGE,
    user_ids: list[UserId] = USER_IDS,
) -> BroadcastStarted:
    """Notify users in a `def` task that makes and closes its own session in a worker thread.

    **Holds on every version.** The task is given the session factory, not a session.
    """
    background_tasks.add_task(send_notifications_own_session, user_ids, message, session_factory)
    return BroadcastStarted(recipients=len(user_ids))


@router.post("/broadcast/async-session", summary="Broadcast (session made in an async def task)")
async def broadcast_async_session(
    background_tasks: BackgroundTasks,
    session_factory: AsyncSessionFactory,
    message: str = MESSAGE,
    user_ids: list[UserId] = USER_IDS,
) -> BroadcastStarted:
    """Notify users in an `async def` task that makes and closes its own asynchronous session.

    **Holds on every version.** The task is given the session factory, not a session.
    """
    background_tasks.add_task(send_notifications_async_session, user_ids, message, session_factory)
    return BroadcastStarted(recipients=len(user_ids))


@router.get("/users/{user_id}/notifications")
def list_notifications(
    db: Db, user_id: int = Path(ge=1, le=MAX_ID, examples=[1])
) -> list[NotificationOut]:
    """List the notifications of a user, the oldest first."""
    query = select(Notification).filter_by(user_id=user_id).order_by(Notification.id)
    return [NotificationOut.model_validate(row) for row in db.scalars(query)]
