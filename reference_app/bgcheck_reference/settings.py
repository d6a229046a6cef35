"""Settings of the reference app, read from environment variables that start with `BGCHECK_`."""

from typing import Annotated, Literal

from fastapi import Depends, Request
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bgcheck_reference.settings_exports import ExportSettings
from bgcheck_reference.settings_images import ImageSettings
from bgcheck_reference.settings_jobs import JobSettings
from bgcheck_reference.settings_mail import MailSettings
from bgcheck_reference.settings_queue import QueueSettings


class Settings(
    MailSettings, ExportSettings, QueueSettings, ImageSettings, JobSettings, BaseSettings
):
    """Everything that differs between a laptop, a test and a server.

    Raises:
        pydantic.ValidationError: a value does not fit, or the database URL cannot serve the app.
    """

    model_config = SettingsConfigDict(env_prefix="BGCHECK_", hide_input_in_errors=True)

    database_url: str = Field(
        default="sqlite:///bgcheck_reference.db",
        repr=False,  # it may have a password
        description="SQLAlchemy URL of an SQLite file or a PostgreSQL database.",
    )
    demo_users: int = Field(
        default=3, ge=0, le=1000, description="Users to create when the database has none."
    )
    seconds_per_importance: float = Field(
        default=2.0, ge=0, description="Seconds of work for each level of importance of an item."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("database_url")
    @classmethod
    def _has_shared_database(cls, value: str) -> str:
        try:
            url = make_url(value)
        except ArgumentError as error:
            raise ValueError(f"{value!r} is not a database URL such as sqlite:///app.db") from error
        backend = url.get_backend_name()
        if backend not in {"sqlite", "postgresql"}:
            raise ValueError(f"{backend!r} is not supported; use a sqlite or a postgresql URL")
        if backend == "sqlite" and url.database in {None, "", ":memory:"}:
            raise ValueError(
                "an in-memory SQLite database cannot be shared by the app's synchronous and "
                "asynchronous engines; name a file, such as sqlite:///app.db"
            )
        return value


def get_settings(request: Request) -> Settings:
    """Give the settings of the app."""
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(get_settings)]
