"""What state a file is in. No position is moved, and nothing is read or written out."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from typing import Any


def is_at_end(file: Any) -> bool:
    """Whether an open file that is not empty has nothing left to read, as far as can be told.

    Args:
        file: a file of `io`, or a spooled one. Neither its position nor its buffers change.
    """
    inner = getattr(file, "_file", file) if is_spooled(file) else file
    if isinstance(inner, io.BytesIO):
        with inner.getbuffer() as view:
            return 0 < view.nbytes <= inner.tell()
    if isinstance(inner, io.StringIO):
        return 0 < len(inner.getvalue()) <= inner.tell()
    return isinstance(inner, io.IOBase) and _is_at_end_on_disk(inner)


def is_spooled(file: object) -> bool:
    """Whether this is a file whose reads are watched."""
    return isinstance(file, tempfile.SpooledTemporaryFile)


def _is_at_end_on_disk(file: Any) -> bool:
    if isinstance(file, io.TextIOWrapper) and file.writable():
        return False  # asked for its position, it would write out what it holds back
    try:
        status = os.fstat(file.fileno())
        regular = stat.S_ISREG(status.st_mode)
        return regular and file.readable() and 0 < status.st_size <= int(file.tell())
    except (OSError, ValueError):  # without a descriptor or a position
        return False


def is_file(value: object) -> bool:
    """Whether this is a file of `io` or `tempfile`."""
    return isinstance(value, io.IOBase) or is_spooled(value)
