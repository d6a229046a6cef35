"""Which files are the code under test."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bgcheck.coverage.sources import Sources, UnknownSourceError, imported_packages


class Config:
    """What the sources ask pytest's configuration for."""

    def __init__(self, root: Path, testpaths: list[str]) -> None:
        self.rootpath = root
        self._ini = {"python_files": ["test_*.py", "*_test.py"], "testpaths": testpaths}

    def getini(self, name: str) -> list[str]:
        return self._ini[name]


FILES = (
    "app/__init__.py",
    "app/main.py",
    "app/sub/more.py",
    "app/sub/test_more.py",
    "app/sub/more_test.py",
    "app/tests/helper.py",
    "app/conftest.py",
    "app/data.txt",
    "app/__pycache__/main.py",
    "app/.hidden/main.py",
    "app/node_modules/tool.py",
    "spec/helper.py",
    "alone.py",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder."""
    for name in FILES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return tmp_path


def files(
    root: Path, *named: str, imported: dict[str, list[str]] | None = None, ran: tuple[str, ...] = ()
) -> list[str]:
    config: Any = Config(root, ["spec", "."])
    found = Sources(config, named).files(imported or {}, ran)
    return [file.relative_to(root).as_posix() for file in found]


def test_imported(root: Path) -> None:
    imported = {"app": [str(root / "app")], "spec": [str(root / "spec")]}
    assert files(root, imported=imported) == ["app/__init__.py", "app/main.py", "app/sub/more.py"]


def test_a_file_that_scheduled_a_task(root: Path) -> None:
    assert files(root, ran=("alone.py", "spec/helper.py", "<string>")) == ["alone.py"]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("app/sub", ["app/sub/more.py"]),
        ("app/main.py", ["app/main.py"]),
        ("app/tests", ["app/tests/helper.py"]),
        ("spec", ["spec/helper.py"]),
        ("app/data.txt", []),
    ],
)
def test_named_path(root: Path, named: str, expected: list[str]) -> None:
    assert files(root, named) == expected


def test_named_module(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    assert files(root, "app.sub") == ["app/sub/more.py"]
    assert files(root, "app.main") == ["app/main.py"]
    assert files(root, "alone", "app.main") == ["alone.py", "app/main.py"]


@pytest.mark.parametrize("named", ["nowhere", "app.nowhere", "alone.nothing"])
def test_unknown(root: Path, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    with pytest.raises(UnknownSourceError) as caught:
        files(root, named)
    assert str(caught.value) == (
        f"coverage-source: {named!r} is no file or folder in the rootdir, and no package"
    )


class Lazy(ModuleType):
    """A module that imports when it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_imported_packages(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def imports(name: str, file: str | None = None, folders: list[Path] | None = None) -> None:
        module = Lazy(name)
        module.__dict__["__file__"] = str(root / file) if file else None
        if folders is not None:
            module.__dict__["__path__"] = folders
        monkeypatch.setitem(sys.modules, name, module)

    imports("bgcov_app", "app/__init__.py", [root / "app"])
    imports("bgcov_app.main", "app/main.py")
    imports("bgcov_alone", "alone.py")
    imports("bgcov_space", None, [root / "spec"])
    imports("bgcov_space.helper", "spec/helper.py")
    imports("bgcov_gone.one", "app/main.py")
    imports("bgcov_gone.two", "alone.py")
    imports("bgcov_empty")
    monkeypatch.setitem(sys.modules, "bgcov_object", object())  # type: ignore[arg-type]
    assert imported_packages(root) == {
        "bgcov_app": [str(root / "app")],
        "bgcov_alone": [str(root / "alone.py")],
        "bgcov_space": [str(root / "spec")],
        "bgcov_gone": [str(root / "alone.py"), str(root / "app/main.py")],
    }
