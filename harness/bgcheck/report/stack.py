"""The resolved stack: which versions are really installed."""

import functools
import platform
from importlib import metadata

PACKAGES = (
    "fastapi",
    "starlette",
    "anyio",
    "pydantic",
    "httpx2",
    "httpx",
    "uvicorn",
    "sqlalchemy",
    "pytest",
)


def version_of(package: str) -> str | None:
    """Return the installed version of a distribution, or None where it is absent."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def _resolved() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for package in PACKAGES:
        version = version_of(package)
        if version is not None:
            found.append((package, version))
    return tuple(found)


def resolved_stack() -> dict[str, str]:
    """Return package name to installed version, Python first; absent packages are left out.

    Nothing is imported: the versions are read from the installed metadata.
    """
    return dict(_resolved())


def describe(stack: dict[str, str]) -> str:
    """Return the stack as one line, `python 3.13.0, fastapi 0.165.0, ...`."""
    return ", ".join(f"{name} {version}" for name, version in stack.items())
