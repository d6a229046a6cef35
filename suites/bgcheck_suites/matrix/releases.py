"""Which releases of a package exist, as the machine's own package index says."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

from packaging.version import InvalidVersion, Version

LISTED = re.compile(r"^Available versions: (.*)$", re.MULTILINE)


class IndexUnreadableError(Exception):
    """The list of releases could not be had."""


def releases(package: str) -> list[str]:
    """Return the final releases of a package, oldest first.

    They come from `pip index versions`, with the index that pip is configured for.

    Raises IndexUnreadableError where that fails.
    """
    done = subprocess.run(
        [*_pip(), "index", "versions", package], capture_output=True, text=True, check=False
    )
    found = LISTED.search(done.stdout)
    if done.returncode or found is None:
        raise IndexUnreadableError(
            f"cannot list the releases of {package}: {done.stderr.strip()[-300:]}"
        )
    return sort_final(found[1].split(", "))


def _pip() -> list[str]:
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv is None:
        raise IndexUnreadableError("neither pip nor uv is here to list releases")
    return [uv, "tool", "run", "-q", "pip"]


def sort_final(versions: list[str]) -> list[str]:
    """Return the versions that are neither pre-releases nor unreadable, oldest first."""
    final = []
    for text in versions:
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            final.append(version)
    return [str(version) for version in sorted(final)]
