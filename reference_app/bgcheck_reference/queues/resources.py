"""What tasks need and no queue can carry: session factories, a mailer, directories.

A task asks for a resource by the annotation of a parameter. Whoever runs it fills that in: the
app for a background task, the worker for a task that comes from a queue.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeAlias, get_type_hints

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.db import AsyncSessionFactory, SessionFactory
from bgcheck_reference.exports.store import ExportStore
from bgcheck_reference.mailer import Mailer, MailerDep
from bgcheck_reference.settings import Settings, SettingsDep
from bgcheck_reference.tasks.mailings import RetryPolicy

Resources: TypeAlias = Mapping[Any, object]
"""Resources by the annotation that asks for them."""


def make_resources(
    settings: Settings,
    mailer: Mailer,
    session_factory: sessionmaker[Session],
    async_session_factory: async_sessionmaker[AsyncSession],
) -> Resources:
    """Gather the resources."""
    return {
        Mailer: mailer,
        sessionmaker[Session]: session_factory,
        async_sessionmaker[AsyncSession]: async_session_factory,
        ExportStore: export_store(settings),
        RetryPolicy: RetryPolicy(settings.mail_attempts, settings.email_retry_delay),
    }


def export_store(settings: SettingsDep) -> ExportStore:
    """Give the directory of the reports."""
    return ExportStore(settings.export_directory, settings.export_max_rows)


ExportStoreDep = Annotated[ExportStore, Depends(export_store)]


def get_resources(
    settings: SettingsDep,
    mailer: MailerDep,
    session_factory: SessionFactory,
    async_session_factory: AsyncSessionFactory,
) -> Resources:
    """Give the resources of the app; overriding one of the parts is enough."""
    return make_resources(settings, mailer, session_factory, async_session_factory)


ResourcesDep = Annotated[Resources, Depends(get_resources)]


def resources_of(task: Callable[..., Any], resources: Resources) -> dict[str, object]:
    """Choose the resources that a task asks for, by the names of its parameters."""
    return {
        name: resources[annotation]
        for name, annotation in _annotations(task)
        if annotation in resources
    }


@cache
def _annotations(task: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, hint) for name, hint in get_type_hints(task).items() if name != "return")
