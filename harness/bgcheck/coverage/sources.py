"""Which files are the code under test."""

from __future__ import annotations

import fnmatch
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

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
    found: dict[str, list[str]] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if (
            not isinstance(file, str)
            or not is_user_file(file)
            or not Path(file).is_relative_to(root)
        ):
            continue
        top = name.partition(".")[0]
        paths = _paths_of(top) or [file]
        found[top] = [path for path in paths if is_user_file(path) and _lies_in(path, root)]
    return found


def _lies_in(path: str, root: Path) -> bool:
    return Path(path).is_relative_to(root) and Path(path) != root


def _paths_of(name: str) -> list[str]:
    module = sys.modules.get(name)
    folders = getattr(module, "__path__", None)
    if folders is not None:
        return [str(folder) for folder in folders]
    file = getattr(module, "__file__", None)
    return [file] if isinstance(file, str) else []


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
        self.root = config.rootpath
        self.named = tuple(named)
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
        return sorted(file for file in found if not self._is_test(file))

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
