"""Settings of the image pipeline."""

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings


class ImageSettings(BaseSettings):
    """Where images are kept, and how large one may be.

    Raises:
        pydantic.ValidationError: half of a key for S3 is missing.
    """

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
    s3_region: str | None = Field(
        default=None, description="Region of the bucket; as boto3 finds it if not given."
    )
    s3_access_key_id: str | None = Field(
        default=None, description="With `s3_secret_access_key`; as boto3 finds both if not given."
    )
    s3_secret_access_key: SecretStr | None = None
    s3_endpoint_url: str | None = Field(
        default=None, description="Address of an S3-like server; Amazon's own if not given."
    )

    @model_validator(mode="after")
    def _has_a_whole_key(self) -> "ImageSettings":
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError(
                "s3_access_key_id and s3_secret_access_key belong together: give both or none"
            )
        return self
