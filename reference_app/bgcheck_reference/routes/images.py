"""An image pipeline: an upload that is never trusted, resized and filtered in the background."""

import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Annotated, Any
from uuid import uuid4

import anyio.from_thread
from fastapi import (
    APIRouter,
    Depends,
    File,
    Form,
    HTTPException,
    Request,
    Response,
    UploadFile,
    status,
)
from fastapi.routing import APIRoute

from bgcheck_reference.db import Db
from bgcheck_reference.image_stores import ImageStore, ImageStoresDep
from bgcheck_reference.images import ImageError, sniff
from bgcheck_reference.models import Image, TaskState
from bgcheck_reference.routes.work import Intake, known
from bgcheck_reference.schemas_images import Filter, Fit, ImageFormat, ImageOut, Plan, Storage
from bgcheck_reference.settings import Settings, SettingsDep
from bgcheck_reference.tasks.images import make_image, result_key, upload_key

FORM_BYTES = 64_000
"""What a form may need beside its file."""

FILE: Any = File()
STORAGE: Any = Form(default=Storage.DIRECTORY)
WIDTH: Any = Form(default=800, ge=1, le=4096)
HEIGHT: Any = Form(default=800, ge=1, le=4096)
FIT: Any = Form(default=Fit.CONTAIN)
FORMAT: Any = Form(default=ImageFormat.JPEG, alias="format")
FILTERS: Any = Form(default=[], max_length=8)


class _LimitedRequest(Request):
    async def stream(self) -> AsyncGenerator[bytes, None]:
        settings: Settings = self.app.state.settings
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            if size > settings.max_upload_bytes + FORM_BYTES:
                raise _too_large(settings)
            yield chunk


class LimitedRoute(APIRoute):
    """A route that stops reading a body that is too large, before any of it is parsed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler; the body is read first, so that no half-parsed file is left open."""
        handler = super().get_route_handler()

        async def limited(request: Request) -> Response:
            limited_request = _LimitedRequest(request.scope, request.receive)
            await limited_request.body()
            return await handler(limited_request)

        return limited


router = APIRouter(tags=["Images"], route_class=LimitedRoute)


def get_plan(
    width: int = WIDTH,
    height: int = HEIGHT,
    fit: Fit = FIT,
    filters: list[Filter] = FILTERS,
    image_format: ImageFormat = FORMAT,
) -> Plan:
    """Read from the form what to make of the image."""
    return Plan(width=width, height=height, fit=fit, filters=filters, format=image_format)


@router.post("/images", status_code=status.HTTP_202_ACCEPTED)
def create_image(
    plan: Annotated[Plan, Depends(get_plan)],
    stores: ImageStoresDep,
    settings: SettingsDep,
    db: Db,
    intake: Intake,
    file: UploadFile = FILE,
    storage: Storage = STORAGE,
) -> ImageOut:
    """Upload an image to be resized and filtered; poll the `Location` until it is "done".

    **Holds on every version.** The upload is stored before the response: some versions close the
    file before the task starts.
    """
    store = _store(stores, storage)
    data = file.file.read(settings.max_upload_bytes + 1)
    if len(data) > settings.max_upload_bytes:
        raise _too_large(settings)
    try:
        source_format = sniff(data, settings.max_image_pixels)
    except ImageError as error:
        raise HTTPException(status_code=415, detail=str(error)) from error
    image = Image(
        id=str(uuid4()),
        filename=_label(file.filename),
        source_format=source_format,
        plan=plan.model_dump(mode="json"),
        storage=storage.value,
    )
    store.put(upload_key(image.id), data)
    try:
        db.add(image)
        db.commit()
    except Exception:
        store.delete(upload_key(image.id))
        raise
    anyio.from_thread.run(intake.schedule, image, make_image)
    return ImageOut.model_validate(image)


@router.get("/images/{image_id}")
def read_image(image_id: str, db: Db) -> ImageOut:
    """Tell how far an image has come."""
    return ImageOut.model_validate(known(db.get(Image, image_id), Image))


@router.get("/images/{image_id}/content", response_class=Response)
def read_image_content(image_id: str, db: Db, stores: ImageStoresDep) -> Response:
    """Give the new image itself, once it is done."""
    image = known(db.get(Image, image_id), Image)
    if image.state != TaskState.DONE.value:
        raise HTTPException(status_code=409, detail=f"The image is {image.state}")
    store = _store(stores, Storage(image.storage))
    image_format = image.plan["format"]
    db.close()
    return Response(
        store.get(result_key(image.id)),
        media_type=f"image/{image_format}",
        headers={
            "Content-Disposition": f'inline; filename="{image.id}.{image_format}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _store(stores: Mapping[Storage, ImageStore], storage: Storage) -> ImageStore:
    if storage not in stores:
        raise HTTPException(status_code=400, detail=f"The storage {storage.value!r} is not set up")
    return stores[storage]


def _label(filename: str | None) -> str:
    # Shown to people only; nothing is ever stored under this name.
    return re.sub(r"[^\w .()-]", "_", filename or "")[-200:]


def _too_large(settings: Settings) -> HTTPException:
    return HTTPException(
        status_code=413, detail=f"The upload has more than {settings.max_upload_bytes} bytes"
    )
