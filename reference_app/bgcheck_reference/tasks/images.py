"""A task that makes a new image of an upload."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from bgcheck_reference.claims import Claim, ClaimPolicy, Note, perform
from bgcheck_reference.image_stores import ImageStore
from bgcheck_reference.images import transform
from bgcheck_reference.models import Image
from bgcheck_reference.schemas_images import Plan, Storage


def upload_key(image_id: str) -> str:
    """Give the key of the bytes as they were uploaded."""
    return f"{image_id}/upload"


def result_key(image_id: str) -> str:
    """Give the key of the new image."""
    return f"{image_id}/result"


def make_image(
    image_id: str,
    stores: Mapping[Storage, ImageStore],
    session_factory: sessionmaker[Session],
    claims: ClaimPolicy,
) -> None:
    """Make a new image of an upload and store it beside the upload.

    Decoding is work for the processor, so this is a `def` task: it runs in a worker thread. It is
    given no file, which the framework may have closed: the upload is in a store. To run twice has
    the same effect as to run once.

    Args:
        image_id: the row, which must be committed already; it tells what to make.
        stores: one of them has the upload, and gets the result.
        session_factory: makes a session for each change of the row.
        claims: how long the row belongs to this task.
    """
    work = partial(_make, image_id, stores, session_factory)
    perform(Claim(Image, image_id, claims), session_factory, work)


def _make(
    image_id: str,
    stores: Mapping[Storage, ImageStore],
    session_factory: sessionmaker[Session],
    note: Note,
) -> dict[str, Any]:
    with session_factory() as db:
        image = db.get_one(Image, image_id)
    store = stores[Storage(image.storage)]
    data, (width, height) = transform(
        store.get(upload_key(image_id)), Plan.model_validate(image.plan)
    )
    store.put(result_key(image_id), data)
    return {"width": width, "height": height, "size": len(data)}
