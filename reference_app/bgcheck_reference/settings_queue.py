"""The part of the settings that is about task queues."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class QueueSettings(BaseSettings):
    """Where the tasks of the exercises run."""

    task_queue: Literal["background", "celery", "taskiq", "dramatiq"] = Field(
        default="background",
        description="`background` runs tasks in this process; the others need their library.",
    )
    queue_url: SecretStr = Field(
        default=SecretStr("redis://localhost:6379/0"),
        description="The broker; `memory://` is the one that the library has for tests.",
    )

    @property
    def queue_in_memory(self) -> bool:
        """Whether the broker is the one for tests."""
        return self.queue_url.get_secret_value() == "memory://"
