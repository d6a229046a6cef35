"""The part of the settings that is about reports as files."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class ExportSettings(BaseSettings):
    """Where reports are kept, and how large they may be."""

    export_directory: Path = Field(
        default=Path("bgcheck_exports"), description="Where the files are; made when needed."
    )
    export_max_rows: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Rows of one section; the rest is left out."
    )
