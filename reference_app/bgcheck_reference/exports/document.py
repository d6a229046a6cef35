"""The contents of a report, read from the database, whatever the format."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from bgcheck_reference.models import Notification, User
from bgcheck_reference.schemas_exports import ExportSection
from bgcheck_reference.tasks.reports import count_notifications

Cell: TypeAlias = str | int


@dataclass(frozen=True)
class Section:
    """One table."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Document:
    """A report."""

    title: str
    period: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class Period:
    """Whole days in UTC, both ends included."""

    since: date
    until: date

    @property
    def start(self) -> datetime:
        """The first moment of it."""
        return datetime.combine(self.since, time(), timezone.utc)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.until, time(), timezone.utc) + timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.since.isoformat()} to {self.until.isoformat()}"


def read_document(
    db: Session, title: str, period: Period, sections: Iterable[ExportSection], max_rows: int
) -> Document:
    """Read what a report tells.

    Args:
        db: where to look.
        title: its title.
        period: the notifications of these days count.
        sections: what it tells, in this order.
        max_rows: the rows of a section; the heading tells if there are more.

    Returns:
        The report, which holds no object of the database.
    """
    found = [_SECTIONS[section](db, period, max_rows) for section in sections]
    return Document(title, str(period), found)


def _summary(db: Session, period: Period, max_rows: int) -> Section:
    counts = select(func.count(), func.count(Notification.user_id.distinct())).where(
        *_within(period)
    )
    notifications, notified = db.execute(counts).one()
    users = db.scalar(select(func.count()).select_from(User)) or 0
    rows = [("Users", users), ("Users notified", notified), ("Notifications", notifications)]
    return Section("Summary", ("What", "Number"), rows)


def _users(db: Session, period: Period, max_rows: int) -> Section:
    lines = count_notifications(db, None, (period.start, period.end), max_rows + 1)
    rows = [tuple(line.values()) for line in lines]
    return _cut("Users", ("Id", "Name", "Notifications", "Unread"), rows, max_rows)


def _days(db: Session, period: Period, max_rows: int) -> Section:
    day = _UtcDay(Notification.created_at)
    query = select(day, func.count()).where(*_within(period)).group_by(day).order_by(day)
    rows = [(str(date), count) for date, count in db.execute(query.limit(max_rows + 1))]
    return _cut("Days", ("Day", "Notifications"), rows, max_rows)


def _messages(db: Session, period: Period, max_rows: int) -> Section:
    query = (
        select(Notification.created_at, User.name, Notification.message)
        .where(*_within(period))
        .join(User, User.id == Notification.user_id)
        .order_by(Notification.id)
        .limit(max_rows + 1)
    )
    rows = [
        (f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M}", name, message)
        for when, name, message in db.execute(query)
    ]
    return _cut("Messages", ("Time (UTC)", "User", "Message"), rows, max_rows)


def _within(period: Period) -> tuple[ColumnElement[bool], ...]:
    return Notification.created_at >= period.start, Notification.created_at < period.end


class _UtcDay(FunctionElement[str]):
    """The day of a time, in UTC whatever zone the database server is in."""

    name = "utc_day"
    inherit_cache = True


@compiles(_UtcDay)
def _utc_day(element: _UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)})"


@compiles(_UtcDay, "postgresql")
def _utc_day_of_postgresql(element: _UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)} AT TIME ZONE 'UTC')"


def _cut(
    heading: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], max_rows: int
) -> Section:
    if len(rows) > max_rows:
        heading = f"{heading} (only the first {max_rows})"
    return Section(heading, columns, rows[:max_rows])


_SECTIONS: dict[ExportSection, Callable[[Session, Period, int], Section]] = {
    ExportSection.SUMMARY: _summary,
    ExportSection.USERS: _users,
    ExportSection.DAYS: _days,
    ExportSection.MESSAGES: _messages,
}
