"""Tables of the reference app."""

from datetime import date, datetime, timezone
from enum import Enum
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class TaskState(str, Enum):
    """How far the work behind a row has come."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _new_id() -> str:
    return str(uuid4())


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, on SQLite too, which stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the stored time its zone back."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=timezone.utc)


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime}


class User(Base):
    """Somebody who can be notified."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))


class Notification(Base):
    """One message to one user."""

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    message: Mapped[str] = mapped_column(Text)
    is_read: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=_now)


class TrackedWork:
    """Columns of a row that tells how its background task fares."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=_new_id)
    state: Mapped[str] = mapped_column(String(20), default=TaskState.PENDING.value, index=True)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=_now)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)


class DurableWork(TrackedWork):
    """Columns of a row whose work survives its process: everything needed to do it is there."""

    label: ClassVar[str]

    claim: Mapped[str | None] = mapped_column(String(36))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=_now, index=True)
    """When anybody may take it up: its next attempt is due, or the claim of another ends."""


class Delivery(TrackedWork, Base):
    """One e-mail on its way: how often it was tried, and how that ended."""

    __tablename__ = "deliveries"

    subject: Mapped[str] = mapped_column(Text)
    recipients: Mapped[list[str]] = mapped_column(JSON)
    attempts: Mapped[int] = mapped_column(default=0)


class RecipientState(str, Enum):
    """What became of the e-mail to one recipient."""

    PENDING = "pending"
    SENT = "sent"
    REFUSED = "refused"
    FAILED = "failed"


class Mailing(DurableWork, Base):
    """One e-mail notification: its kind and content, and whom it goes to."""

    __tablename__ = "mailings"
    label = "Mailing"

    kind: Mapped[str] = mapped_column(String(20))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    style: Mapped[dict[str, Any]] = mapped_column(JSON)
    recipients: Mapped[list["MailingRecipient"]] = relationship(order_by="MailingRecipient.id")


class MailingRecipient(Base):
    """One recipient of a mailing, and what became of the e-mail to them."""

    __tablename__ = "mailing_recipients"

    id: Mapped[int] = mapped_column(primary_key=True)
    mailing_id: Mapped[str] = mapped_column(ForeignKey("mailings.id"), index=True)
    address: Mapped[str] = mapped_column(String(320))
    name: Mapped[str | None] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), default=RecipientState.PENDING.value)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)


class Export(DurableWork, Base):
    """One report as a file: what was asked for, and the size of the file once it is there."""

    __tablename__ = "exports"
    label = "Report"

    title: Mapped[str] = mapped_column(String(200))
    format: Mapped[str] = mapped_column(String(10))
    since: Mapped[date]
    until: Mapped[date]
    sections: Mapped[list[str]] = mapped_column(JSON)
    size: Mapped[int | None]


class Report(TrackedWork, Base):
    """One report: what was asked for, and the lines once they are made."""

    __tablename__ = "reports"

    title: Mapped[str] = mapped_column(String(200))
    user_ids: Mapped[list[int] | None] = mapped_column(JSON)
    lines: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)


class Image(DurableWork, Base):
    """One uploaded image: what to make of it, and what came out."""

    __tablename__ = "images"
    label = "Image"

    filename: Mapped[str] = mapped_column(String(200))
    source_format: Mapped[str] = mapped_column(String(10))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    storage: Mapped[str] = mapped_column(String(20))
    width: Mapped[int | None]
    height: Mapped[int | None]
    size: Mapped[int | None]


class Job(DurableWork, Base):
    """An e-mail or a broadcast, tried again until it is done."""

    __tablename__ = "jobs"
    label = "Job"

    kind: Mapped[str] = mapped_column(String(20))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)


class Run(DurableWork, Base):
    """One long piece of work, and how many of its steps are done."""

    __tablename__ = "runs"
    label = "Run"

    name: Mapped[str] = mapped_column(String(200))
    steps_total: Mapped[int]
    steps_done: Mapped[int] = mapped_column(default=0)
