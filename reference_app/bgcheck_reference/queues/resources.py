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

from bgcheck_reference.claims import ClaimPolicy
from bgcheck_reference.db import AsyncSessionFactory, SessionFactory
from bgcheck_reference.exports.store import ExportStore
from bgcheck_reference.image_stores import ImageStore, ImageStoresDep
from bgcheck_reference.mailer import Mailer, MailerDep
from bgcheck_reference.schemas_images import Storage
from bgcheck_reference.settings import Settings, SettingsDep
from bgcheck_reference.tasks import jobs, mailings
from bgcheck_reference.tasks.runs import STEPS_PER_LEVEL, Pace

Resources: TypeAlias = Mapping[Any, object]
"""Resources by the annotation that asks for them."""


def make_resources(
    settings: Settings,
    mailer: Mailer,
    image_stores: Mapping[Storage, ImageStore],
    session_factory: sessionmaker[Session],
    async_session_factory: async_sessionmaker[AsyncSession],
) -> Resources:
    """Gather the resources."""
    return {
        Mailer: mailer,
        sessionmaker[Session]: session_factory,
        async_sessionmaker[AsyncSession]: async_session_factory,
        ExportStore: export_store(settings),
        Mapping[Storage, ImageStore]: image_stores,
        Pace: Pace(settings.seconds_per_importance / STEPS_PER_LEVEL),
        ClaimPolicy: claim_policy(settings),
        mailings.RetryPolicy: mailings.RetryPolicy(
            settings.mail_attempts, settings.email_retry_delay
        ),
        jobs.RetryPolicy: job_policy(settings),
    }


def claim_policy(settings: Settings) -> ClaimPolicy:
    """Give how long work belongs to whoever is at it."""
    return ClaimPolicy(settings.claim_seconds, settings.job_attempts)


def job_policy(settings: Settings) -> jobs.RetryPolicy:
    """Give how often a job is tried."""
    return jobs.RetryPolicy(
        settings.job_attempts,
        settings.job_retry_delay,
        settings.job_retry_delay_max,
        settings.job_attempt_seconds,
    )


def export_store(settings: SettingsDep) -> ExportStore:
    """Give the directory of the reports."""
    return ExportStore(settings.export_directory, settings.export_max_rows)


ExportStoreDep = Annotated[ExportStore, Depends(export_store)]


def get_resources(
    settings: SettingsDep,
    mailer: MailerDep,
    image_stores: ImageStoresDep,
    session_factory: SessionFactory,
    async_session_factory: AsyncSessionFactory,
) -> Resources:
    """Give the resources of the app; overriding one of the parts is enough."""
    return make_resources(settings, mailer, image_stores, session_factory, async_session_factory)


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
