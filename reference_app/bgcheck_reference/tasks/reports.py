"""A task whose progress a client can poll: pending, running, then done or failed."""

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.models import Notification, Report, TaskState, User

logger = logging.getLogger(__name__)


def make_report(report_id: str, session_factory: sessionmaker[Session]) -> None:
    """Make the lines of a report and store them in its row.

    A failure is logged with its traceback and stored in the row; it is not raised, since that
    would keep later tasks of the same response from running.

    Args:
        report_id: the row, which must be committed already.
        session_factory: makes the sessions, all closed before this returns or raises.

    Raises:
        LookupError: there is no such row.
    """
    user_ids = _start(report_id, session_factory)
    try:
        with session_factory() as db:
            lines = count_notifications(db, user_ids)
    except Exception as error:
        logger.exception("Report %s failed", report_id)
        _finish(report_id, session_factory, error=f"{type(error).__name__}: {error}")
    else:
        _finish(report_id, session_factory, lines=lines)
        logger.info("Report %s has %d lines", report_id, len(lines))


def count_notifications(
    db: Session,
    user_ids: list[int] | None,
    period: tuple[datetime, datetime] | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Count the notifications of each user.

    Args:
        db: where to look.
        user_ids: whose; None for all users.
        period: its first moment, and the first one after it; None for all times.
        limit: the most lines to return.

    Returns:
        One line a user, by id: `user_id`, `name`, `notifications`, `unread`.
    """
    unread = func.coalesce(func.sum(case((Notification.is_read.is_(False), 1), else_=0)), 0)
    theirs = Notification.user_id == User.id
    if period is not None:
        since, end = period
        theirs = and_(theirs, Notification.created_at >= since, Notification.created_at < end)
    query = (
        select(User.id, User.name, func.count(Notification.id), unread)
        .outerjoin(Notification, theirs)
        .group_by(User.id, User.name)
        .order_by(User.id)
        .limit(limit)
    )
    if user_ids is not None:
        query = query.where(User.id.in_(user_ids))
    columns = ("user_id", "name", "notifications", "unread")
    return [dict(zip(columns, row, strict=True)) for row in db.execute(query)]


def _start(report_id: str, session_factory: sessionmaker[Session]) -> list[int] | None:
    with session_factory.begin() as db:
        report = _get(db, report_id)
        report.state = TaskState.RUNNING.value
        return report.user_ids


def _finish(
    report_id: str,
    session_factory: sessionmaker[Session],
    *,
    lines: list[dict[str, Any]] | None = None,
    error: str | None = None,
) -> None:
    with session_factory.begin() as db:
        report = _get(db, report_id)
        report.state = (TaskState.FAILED if error else TaskState.DONE).value
        report.lines = lines
        report.error = error


def _get(db: Session, report_id: str) -> Report:
    report = db.get(Report, report_id)
    if report is None:
        raise LookupError(f"There is no report {report_id}")
    return report
