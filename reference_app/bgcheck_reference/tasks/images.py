"""A task that makes a new image of an upload."""

import logging

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.image_stores import ImageStore
from bgcheck_reference.images import transform
from bgcheck_reference.models import Image, TaskState
from bgcheck_reference.schemas_images import Plan

logger = logging.getLogger(__name__)


def upload_key(image_id: str) -> str:
    """Give the key of the bytes as they were uploaded."""
    return f"{image_id}/upload"


def result_key(image_id: str) -> str:
    """Give the key of the new image."""
    return f"{image_id}/result"


def make_image(
    image_id: str, plan: Plan, store: ImageStore, session_factory: sessionmaker[Session]
) -> None:
    """Make a new image of an upload and store it beside the upload.

    Decoding is work for the processor, so this is a `def` task: it runs in a worker thread. It is
    given no file, which the framework may have closed: the upload is in the store. A failure is
    logged and stored in the row. To run twice has the same effect as to run once.

    Args:
        image_id: the row, which must be committed already.
        plan: what to make of the upload.
        store: has the upload, and gets the result.
        session_factory: makes a session for each change of the row.
    """
    try:
        _note(image_id, session_factory, state=TaskState.RUNNING.value)
        data, (width, height) = transform(store.get(upload_key(image_id)), plan)
        store.put(result_key(image_id), data)
        _note(
            image_id,
            session_factory,
            state=TaskState.DONE.value,
            width=width,
            height=height,
            size=len(data),
        )
    except Exception as error:
        logger.exception("Image %s failed", image_id)
        message = f"{type(error).__name__}: {error}"
        _note(image_id, session_factory, state=TaskState.FAILED.value, error=message)


def _note(image_id: str, session_factory: sessionmaker[Session], **values: object) -> None:
    with session_factory.begin() as db:
        db.execute(update(Image).where(Image.id == image_id).values(**values))
