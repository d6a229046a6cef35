"""Findings that the user has silenced: by a comment on the schedule line, or by path."""

from __future__ import annotations

import ast
import fnmatch
import functools
import linecache
import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from bgcheck.checks.selection import best_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgcheck.recorder.record import Site

_COMMENT = re.compile(r"#\s*bgcheck:\s*ignore(?:\[([^\]]*)\])?(?![\w\[])")


def is_ignored_by_comment(code: str, site: Site | None) -> bool:
    """Whether the statement at the site has a comment `# bgcheck: ignore[BG301]` for this code.

    Prefixes count as well, and `# bgcheck: ignore` alone silences every code.
    """
    if site is None:
        return False
    first, last = _statement(site.file, site.line)
    lines = (linecache.getline(site.file, line) for line in range(first, last + 1))
    return any(_covers(match[1], code) for line in lines for match in _COMMENT.finditer(line))


def _covers(listed: str | None, code: str) -> bool:
    if listed is None:
        return True
    return (
        best_match(code, (part.strip() for part in listed.split(",") if part.strip())) is not None
    )


@functools.lru_cache(maxsize=256)
def _spans(file: str) -> tuple[tuple[int, int], ...]:
    """First and last line of every simple statement of a file."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ()
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    )


def _statement(file: str, line: int) -> tuple[int, int]:
    inside = [span for span in _spans(file) if span[0] <= line <= span[1]]
    return min(inside, key=lambda span: span[1] - span[0], default=(line, line))


def is_ignored_by_path(
    code: str, files: Iterable[str], ignores: Mapping[str, Sequence[str]]
) -> bool:
    """Whether one of the files matches a pattern that ignores this code.

    Args:
        code: the finding's code.
        files: paths relative to the rootdir.
        ignores: codes and prefixes by glob pattern, or by folder.
    """
    paths = [PurePath(file).as_posix() for file in files]
    return any(
        best_match(code, codes) is not None and any(_matches(path, pattern) for path in paths)
        for pattern, codes in ignores.items()
    )


def _matches(path: str, pattern: str) -> bool:
    folder = pattern.rstrip("/") + "/"
    return fnmatch.fnmatch(path, pattern) or path.startswith(folder)


def relative_to(file: str, root: str) -> str:
    """Write a file relative to the rootdir where it lies inside it, with forward slashes."""
    absolute = os.path.isabs(file) and os.path.isabs(root)  # else it depends on where we are
    return _known_relative_to(file, root) if absolute else _relative_to(file, root)


def _relative_to(file: str, root: str) -> str:
    try:
        short = os.path.relpath(file, root)
    except ValueError:  # another drive
        return file
    return file if short.startswith("..") else PurePath(short).as_posix()


_known_relative_to = functools.lru_cache(maxsize=1024)(_relative_to)
