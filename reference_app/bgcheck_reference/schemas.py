"""Request and response bodies. Whatever a task could fail on is refused here, with a 422."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, EmailStr, Field

from bgcheck_reference.models import TaskState

# PostgreSQL cannot store NUL in a text.
NO_NUL = r"^[^\x00]*$"

# Nothing in it ends a line, and so a header of an e-mail.
ONE_LINE = r"^[^\x00-\x1f\x7f\x85\u2028\u2029]*$"

# The largest integer that PostgreSQL stores in an id column.
MAX_ID = 2**31 - 1

UserId = Annotated[int, Field(ge=1, le=MAX_ID)]


class Message(BaseModel):
    """A plain answer."""

    message: str


class Item(BaseModel):
    """Something to process."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Lamp",
                    "description": "A desk lamp",
                    "price": 39.9,
                    "tags": ["home", "light"],
                }
            ]
        }
    )

    name: str
    description: str | None = None
    price: float
    tags: list[str] = []


class ProcessingStarted(BaseModel):
    """The item is being processed."""

    status: str = "processing"
    priority: int


class BroadcastStarted(BaseModel):
    """The message is on its way."""

    message: str = "Broadcasting initiated"
    recipients: int


class NotificationOut(BaseModel):
    """One notification of a user."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    user_id: int
    message: str
    is_read: bool


class ProcessingType(str, Enum):
    """The kinds of content that have a task."""

    IMAGE = "image"
    TEXT = "text"
    VIDEO = "video"


class Content(BaseModel):
    """Content to process: any fields, of which the tasks know these two."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"filename": "notes.txt", "content": "Some words to count"}]
        },
    )

    filename: str | None = None
    content: str | None = None


class ContentAccepted(BaseModel):
    """The content is being processed."""

    status: str = "processing"
    type: ProcessingType
    data_received: int


class EmailContent(BaseModel):
    """What an e-mail says."""

    subject: Annotated[str, Field(max_length=500, pattern=ONE_LINE)]
    body: Annotated[str, Field(max_length=100_000, pattern=NO_NUL)]


class EmailTask(BaseModel):
    """An e-mail, its recipients, and how often to try."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "recipients": ["ada@example.com", "grace@example.com"],
                    "content": {"subject": "Welcome", "body": "Good to have you with us."},
                    "priority": 1,
                    "retry_count": 3,
                }
            ]
        }
    )

    recipients: Annotated[list[EmailStr], Field(max_length=100)]
    content: EmailContent
    priority: int = 1
    retry_count: Annotated[int, Field(ge=1, le=10)] = 3


class EmailQueued(BaseModel):
    """The e-mail will be sent."""

    status: str = "queued"
    recipients_count: int
    priority: int


class DeliveryQueued(EmailQueued):
    """The e-mail will be sent, and its fate can be read under this id."""

    delivery_id: str


class TrackedOut(BaseModel):
    """How the background task of a row fares."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: TaskState
    error: str | None
    created_at: datetime
    updated_at: datetime


class DeliveryOut(TrackedOut):
    """The fate of an e-mail."""

    subject: str
    recipients: list[str]
    attempts: int


class ReportRequest(BaseModel):
    """A report on the notifications of some users, or of all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Unread messages", "user_ids": [1, 2]}]}
    )

    title: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
    user_ids: Annotated[list[UserId], Field(max_length=1000)] | None = None


class ReportOut(TrackedOut):
    """A report; `lines` is filled once its state is "done"."""

    title: str
    user_ids: list[int] | None
    lines: list[dict[str, Any]] | None
