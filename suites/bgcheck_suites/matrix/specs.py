"""Which cells to measure: sets of wanted versions."""

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - pytest brings it

DEFAULTS = Path(__file__).parent / "defaults.toml"
NEWEST = "newest"


class SpecError(ValueError):
    """A version that cannot be read."""


@dataclass(frozen=True)
class Spec:
    """What a cell is asked to have; an empty version is left to the resolver."""

    python: str
    fastapi: str = ""
    starlette: str = ""
    anyio: str = ""

    @property
    def slug(self) -> str:
        """A name for files: `py3.13-fastapi0.105.0`."""
        return "-".join([f"py{Path(self.python).name}", *(f"{p}{v}" for p, v in self._packages())])

    @property
    def wanted(self) -> dict[str, str]:
        """The versions by package."""
        return {"python": self.python, **dict(self._packages())}

    def requirements(self) -> list[str]:
        """Return the requirements to install, with the constraints that old releases need."""
        pinned = [f"{p}=={_pattern(v)}" for p, v in self._packages() if v != NEWEST]
        return [*pinned, *dict.fromkeys(self._constraints())]

    def _packages(self) -> list[tuple[str, str]]:
        found = {"fastapi": self.fastapi, "starlette": self.starlette, "anyio": self.anyio}
        return [(package, version) for package, version in found.items() if version]

    def _constraints(self) -> list[str]:
        versions = dict(self._packages())
        return [
            entry["add"]
            for entry in defaults()["constraint"]
            if _concerns(Requirement(entry["when"]), versions)
        ]


def _pattern(version: str) -> str:
    """Return what `==` takes: a minor release stands for its last patch."""
    return f"{version}.*" if version.count(".") == 1 else version


def _concerns(condition: Requirement, versions: dict[str, str]) -> bool:
    version = versions.get(condition.name, NEWEST)
    return version != NEWEST and condition.specifier.contains(Version(version))


def defaults() -> dict[str, Any]:
    """Return the cells that are measured by default."""
    return tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))


def default_specs(python: str, further: Sequence[str] = ()) -> list[Spec]:
    """Return the default cells: all releases on one Python, and a choice on further ones."""
    data = defaults()
    return [
        *(Spec(python, fastapi=version) for version in data["fastapi"]),
        *(Spec(python, starlette=version) for version in data["starlette"]),
        *(Spec(other, fastapi=v) for other in further for v in data["further"]),
    ]


def product(
    pythons: Sequence[str],
    fastapi: Sequence[str] = (),
    starlette: Sequence[str] = (),
    anyio: Sequence[str] = (),
) -> list[Spec]:
    """Return every combination of some versions.

    Raises SpecError for a version that is none.
    """
    for version in (*fastapi, *starlette, *anyio):
        _check(version)
    axes = (pythons, fastapi or [""], starlette or [""], anyio or [""])
    return [Spec(*versions) for versions in itertools.product(*axes)]


def _check(version: str) -> None:
    if version == NEWEST:
        return
    try:
        Version(version)
    except InvalidVersion:
        raise SpecError(
            f"{version!r} is no version; write 0.105.0, 0.105 (its last patch) or {NEWEST}"
        ) from None
