"""Settings of the image pipeline."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class ImageSettings(BaseSettings):
    """Where images are kept, and how large one may be."""

    image_directory: Path = Field(
        default=Path("bgcheck_images"), description="Directory of the uploads and of the results."
    )
    max_upload_bytes: int = Field(
        default=10_000_000, ge=1, description="Size of the largest upload that is accepted."
    )
    max_image_pixels: int = Field(
        default=40_000_000, ge=1, description="Width times height of the largest image accepted."
    )
    s3_bucket: str | None = Field(
        default=None, description="Bucket of the S3 store; without it the store is not offered."
    )
    s3_endpoint_url: str | None = Field(
        default=None, description="Address of an S3-like server; Amazon's own if not given."
    )
