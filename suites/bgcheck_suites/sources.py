"""The lines of a package that a row cites, and whether they are still the same."""

import hashlib
from importlib import metadata
from pathlib import Path

from .registry import Source


def cited_lines(source: Source) -> list[str] | None:
    """Return the lines that a source cites, from the installed package.

    None where the source is a document, or another version is installed.
    """
    if not source.package:
        return None
    try:
        distribution = metadata.distribution(source.package)
    except metadata.PackageNotFoundError:
        return None
    if distribution.version != source.version:
        return None
    first, _, last = source.lines.partition("-")
    path = Path(str(distribution.locate_file(source.file)))
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[int(first) - 1 : int(last or first)]


def digest(lines: list[str]) -> str:
    """Return the sha256 of some lines, in hexadecimal."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
