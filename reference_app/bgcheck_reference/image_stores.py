"""Where images are kept: a directory, or anything that speaks S3."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol
from uuid import uuid4

from fastapi import Depends, Request

from bgcheck_reference.schemas_images import Storage
from bgcheck_reference.settings import Settings

_KEY = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")


class ImageStore(Protocol):
    """Keeps bytes under keys that the app generates."""

    def put(self, key: str, data: bytes) -> None:
        """Store bytes; replace what is there."""

    def get(self, key: str) -> bytes:
        """Give the bytes of a key."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key; do nothing if it is not there."""

    def close(self) -> None:
        """Close the connections; the store can be used again."""


class DirectoryStore:
    """Keeps each key in a file of its own under a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """Write the file; nobody ever sees half of it."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
        try:
            unfinished.write_bytes(data)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """Read the file.

        Raises:
            FileNotFoundError: there is none.
        """
        return self._path(key).read_bytes()

    def delete(self, key: str) -> None:
        """Remove the file, if it is there."""
        self._path(key).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing to do: no file stays open."""

    def _path(self, key: str) -> Path:
        return self._root / checked(key)


class S3Store:
    """Keeps each key as an object in a bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, data: bytes) -> None:
        """Upload the object."""
        self._client.put_object(Bucket=self._bucket, Key=checked(key), Body=data)

    def get(self, key: str) -> bytes:
        """Download the object; raise the error of the client if there is none."""
        with self._client.get_object(Bucket=self._bucket, Key=checked(key))["Body"] as body:
            return bytes(body.read())

    def delete(self, key: str) -> None:
        """Remove the object, if it is there."""
        self._client.delete_object(Bucket=self._bucket, Key=checked(key))

    def close(self) -> None:
        """Close the connections to the server."""
        self._client.close()


def checked(key: str) -> str:
    """Return a key, if it can lead nowhere but into its store.

    Raises:
        ValueError: it has other characters than a generated key has.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a key of an image store")
    return key


def make_stores(settings: Settings) -> dict[Storage, ImageStore]:
    """Make the stores that the settings offer; none connects yet.

    Raises:
        ModuleNotFoundError: an S3 bucket is set, and boto3 is not installed.
    """
    stores: dict[Storage, ImageStore] = {
        Storage.DIRECTORY: DirectoryStore(settings.image_directory)
    }
    if settings.s3_bucket:
        stores[Storage.S3] = S3Store(_s3_client(settings), settings.s3_bucket)
    return stores


def _s3_client(settings: Settings) -> Any:
    import boto3  # type: ignore[import-untyped, unused-ignore]

    secret = settings.s3_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=None if secret is None else secret.get_secret_value(),
    )


def get_image_stores(request: Request) -> Mapping[Storage, ImageStore]:
    """Give the stores of the app."""
    stores: Mapping[Storage, ImageStore] = request.app.state.image_stores
    return stores


ImageStoresDep = Annotated[Mapping[Storage, ImageStore], Depends(get_image_stores)]
