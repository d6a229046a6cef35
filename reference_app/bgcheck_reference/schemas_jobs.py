"""Bodies of the durable jobs."""

from datetime import datetime
from enum import Enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bgcheck_reference.schemas import NO_NUL, EmailTask, TrackedOut, UserId


class JobKind(str, Enum):
    """The kinds of work that a job can be."""

    EMAIL = "email"
    BROADCAST = "broadcast"


class BroadcastJob(BaseModel):
    """A message to users."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": "Maintenance at noon", "user_ids": [1, 2]}]}
    )

    message: Annotated[str, Field(max_length=10_000, pattern=NO_NUL)]
    user_ids: Annotated[list[UserId], Field(max_length=1000)]


class EmailJob(EmailTask):
    """An e-mail; how often to try is a setting of the app."""

    retry_count: Annotated[int, Field(exclude=True, ge=1, le=10)] = 3


class JobOut(TrackedOut):
    """How a job fares."""

    kind: JobKind
    attempts: int
    due_at: datetime
