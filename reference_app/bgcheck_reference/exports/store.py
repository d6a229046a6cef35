"""Where the files of reports are: one directory, and names that nobody chooses."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bgcheck_reference.schemas_exports import ExportFormat


@dataclass(frozen=True)
class ExportStore:
    """The files of one directory, with the limit on their rows."""

    directory: Path
    max_rows: int = 10_000

    def path(self, export_id: str, file_format: ExportFormat) -> Path:
        """Return where a report is or will be.

        Raises:
            ValueError: the id is not one, so it might lead elsewhere.
        """
        return self.directory / f"{UUID(export_id)}.{file_format.value}"

    def save(self, export_id: str, file_format: ExportFormat, content: bytes) -> None:
        """Write a report; a reader sees all of it or nothing."""
        path = self.path(export_id, file_format)
        self.directory.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.directory, suffix=".part")
        try:
            with open(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def download_name(title: str, file_format: ExportFormat) -> str:
    """Make a file name of a title, safe on every system.

    Example:
        >>> download_name("../../etc/passwd: =1", ExportFormat.CSV)
        'etc-passwd-1.csv'
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", title)[:80].strip("-")
    return f"{name or 'report'}.{file_format.value}"
