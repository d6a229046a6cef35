"""Parameters and bodies of the image pipeline."""

from enum import Enum
from typing import Annotated

from pydantic import BaseModel, Field

from bgcheck_reference.schemas import TrackedOut


class Fit(str, Enum):
    """How an image is brought to the wanted size."""

    CONTAIN = "contain"
    COVER = "cover"
    STRETCH = "stretch"


class Filter(str, Enum):
    """What can be done to an image after its size is right."""

    GRAYSCALE = "grayscale"
    BLUR = "blur"
    SHARPEN = "sharpen"
    EDGES = "edges"


class ImageFormat(str, Enum):
    """The formats in which a result can be stored."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class Storage(str, Enum):
    """Where an image is kept."""

    DIRECTORY = "directory"
    S3 = "s3"


class Plan(BaseModel):
    """What to make of an image."""

    width: Annotated[int, Field(ge=1, le=4096)] = 800
    height: Annotated[int, Field(ge=1, le=4096)] = 800
    fit: Fit = Fit.CONTAIN
    filters: list[Filter] = []
    format: ImageFormat = ImageFormat.JPEG


class ImageOut(TrackedOut):
    """How far an image has come; its size is known once its state is "done"."""

    filename: str
    source_format: str
    plan: Plan
    storage: Storage
    width: int | None
    height: int | None
    size: int | None
