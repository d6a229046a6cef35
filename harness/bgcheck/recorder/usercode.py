"""Tell user code from the standard library, installed packages and bgcheck itself, by file."""

from __future__ import annotations

import functools
import os
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_COMPILED = (".pyx", ".pxd", ".pxi")
"""Sources of Cython: a traceback has their paths as they were where the library was built."""


@functools.cache
def _foreign_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    own = os.path.dirname(os.path.dirname(__file__))
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(f"{folder}{os.sep}" for folder in (*(paths[name] for name in names), own))


@functools.lru_cache(maxsize=4096)
def is_user_file(file: str) -> bool:
    """Whether a source file is the user's: neither installed, nor generated, nor bgcheck's.

    Example:
        >>> is_user_file(functools.__file__), is_user_file("<string>")
        (False, False)
    """
    if file.startswith("<") or file.endswith(_COMPILED):
        return False
    return not file.startswith(_foreign_folders()) and _INSTALLED.isdisjoint(file.split(os.sep))


def frames_of(error: BaseException) -> Iterator[tuple[FrameType, TracebackType]]:
    """Yield the frames that an error passed, outermost first, with their traceback entries."""
    entry = error.__traceback__
    while entry is not None:
        yield entry.tb_frame, entry
        entry = entry.tb_next
