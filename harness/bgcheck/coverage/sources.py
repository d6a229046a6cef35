"""Which files are the code under test."""

from __future__ import annotations

import fnmatch
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bgcheck.recorder.usercode import is_user_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pytest

_TEST_FOLDERS = frozenset({"test", "tests"})
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


class UnknownSourceError(Exception):
    """A source that is neither a path nor a package; the message says which."""


def imported_packages(root: Path) -> dict[str, list[str]]:
    """Return the files and folders of the top-level modules in the rootdir that were imported."""
    found: dict[str, set[str]] = {}
    for name, module in list(sys.modules.items()):
        file = _attribute(module, "__file__")
        if isinstance(file, str) and _lies_in(file, root):
            top = name.partition(".")[0]
            paths = [path for path in _folders_of(top) if _lies_in(path, root)]
            found.setdefault(top, set()).update(paths or [file])
    return {top: sorted(paths) for top, paths in found.items()}


def _lies_in(path: str, root: Path) -> bool:
    return is_user_file(path) and Path(path).is_relative_to(root)


def _folders_of(name: str) -> list[str]:
    try:
        return [str(folder) for folder in _attribute(sys.modules.get(name), "__path__") or ()]
    except Exception:  # what stands in sys.modules may be anything
        return []


def _attribute(module: object, name: str) -> Any:
    """Read an attribute without asking a module that imports when it is asked."""
    return module.__dict__.get(name) if isinstance(module, ModuleType) else None


class Sources:
    """The files under test.

    Without a named source these are the modules and packages in the rootdir that were imported,
    but no tests: no file that pytest collects, no conftest.py, nothing in `testpaths` or in a
    folder called `test` or `tests`. Named sources are taken as they are, but for collected files.

    Args:
        config: pytest's configuration, for the names of test files.
        named: files, folders, and packages that the user names.
    """

    def __init__(self, config: pytest.Config, named: Sequence[str]) -> None:
        self.root: Path = config.rootpath
        self.named: tuple[str, ...] = tuple(named)
        self._patterns: list[str] = [*config.getini("python_files"), "conftest.py"]
        self._test_folders = [self.root / path for path in config.getini("testpaths")]

    def files(self, imported: Mapping[str, Sequence[str]], ran: Iterable[str]) -> list[Path]:
        """Return the files, sorted.

        Args:
            imported: what `imported_packages` returned, of all processes.
            ran: files that scheduled a task.

        Raises:
            UnknownSourceError: a named source is nowhere.
        """
        if self.named:
            roots = [path for name in self.named for path in self._locate(name, imported)]
        else:
            roots = [Path(path) for paths in imported.values() for path in paths]
            roots += [self.root / file for file in ran if is_user_file(str(self.root / file))]
        found = {file for path in roots for file in _python_files(path)}
        return sorted(file for file in found if self._is_under_test(file))

    def _is_under_test(self, file: Path) -> bool:
        return not self._is_test(file) and (bool(self.named) or is_user_file(str(file)))

    def _locate(self, name: str, imported: Mapping[str, Sequence[str]]) -> list[Path]:
        if (self.root / name).exists():
            return [self.root / name]
        top, *rest = name.split(".")
        bases = [Path(path) for path in imported.get(top) or _find(top)]
        paths = [path for base in bases for path in _inside(base, rest) if path.exists()]
        if not paths:
            raise UnknownSourceError(
                f"coverage-source: {name!r} is no file or folder in the rootdir, and no package"
            )
        return paths

    def _is_test(self, file: Path) -> bool:
        if any(_matches(file, pattern) for pattern in self._patterns):
            return True
        if self.named:
            return False
        inside = file.relative_to(self.root) if file.is_relative_to(self.root) else file
        return not _TEST_FOLDERS.isdisjoint(inside.parts[:-1]) or any(
            folder != self.root and file.is_relative_to(folder) for folder in self._test_folders
        )


def _matches(file: Path, pattern: str) -> bool:
    if "/" in pattern:
        return fnmatch.fnmatch(file.as_posix(), f"*/{pattern}")
    return fnmatch.fnmatch(file.name, pattern)


def _find(name: str) -> list[str]:
    spec = PathFinder.find_spec(name)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return list(spec.submodule_search_locations)
    return [spec.origin] if spec.origin else []


def _inside(base: Path, rest: Sequence[str]) -> list[Path]:
    path = base.joinpath(*rest)
    return [path, path.with_suffix(".py")] if rest else [path]


def _python_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield from [path] if path.suffix == ".py" else []
        return
    for folder, folders, files in os.walk(path):
        folders[:] = [n for n in folders if n not in _SKIPPED_FOLDERS and not n.startswith(".")]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))
