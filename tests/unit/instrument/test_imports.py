"""`bgcheck.instrument.imports`: call a hook right after a module is imported."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest

from bgcheck.instrument.imports import ImportHooks


@pytest.fixture
def hooks() -> Iterator[ImportHooks]:
    hooks = ImportHooks()
    yield hooks
    hooks.uninstall()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "hooked_one.py").write_text("value = 1\n")
    (tmp_path / "hooked_two.py").write_text("import hooked_one\nvalue = hooked_one.value + 1\n")
    yield tmp_path
    for name in ("hooked_one", "hooked_two"):
        sys.modules.pop(name, None)


def test_module_that_is_imported_later(package: Path, hooks: ImportHooks) -> None:
    seen: list[Any] = []
    hooks.install({"hooked_one": lambda module: seen.append(module.value)})
    assert seen == []
    importlib.import_module("hooked_two")
    assert seen == [1]
    importlib.import_module("hooked_one")
    assert seen == [1]
    importlib.reload(sys.modules["hooked_one"])
    assert seen == [1, 1]


def test_module_that_was_imported_before(package: Path, hooks: ImportHooks) -> None:
    module = importlib.import_module("hooked_one")
    seen: list[ModuleType] = []
    hooks.install({"hooked_one": seen.append})
    assert seen == [module]


def test_two_that_wait_for_the_same_module(package: Path, hooks: ImportHooks) -> None:
    seen: list[str] = []
    other = ImportHooks()
    hooks.install({"hooked_one": lambda _: seen.append("first")})
    other.install({"hooked_one": lambda _: seen.append("second")})
    try:
        module = importlib.import_module("hooked_one")
    finally:
        other.uninstall()
    assert sorted(seen) == ["first", "second"]
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_loader_is_left_as_it_was(package: Path, hooks: ImportHooks) -> None:
    hooks.install({"hooked_one": lambda _: None})
    module = importlib.import_module("hooked_one")
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_module_whose_import_fails_can_be_imported_again(package: Path, hooks: ImportHooks) -> None:
    seen: list[Any] = []
    hooks.install({"hooked_one": lambda module: seen.append(module.value)})
    (package / "hooked_one.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("hooked_one")
    assert seen == []
    (package / "hooked_one.py").write_text("value = 'fixed'\n")
    importlib.invalidate_caches()
    importlib.import_module("hooked_one")
    assert seen == ["fixed"]


def test_warning_about_an_import_names_the_line_that_imports(
    package: Path, hooks: ImportHooks
) -> None:
    (package / "hooked_one.py").write_text(
        "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)\n"
    )
    hooks.install({"hooked_one": lambda _: None})
    with pytest.warns(DeprecationWarning, match="old") as caught:
        __import__("hooked_one")
    assert [warning.filename for warning in caught] == [__file__]


def test_module_that_does_not_exist(hooks: ImportHooks) -> None:
    hooks.install({"hooked_nowhere": lambda _: None})
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("hooked_nowhere")


def test_stub_in_sys_modules_is_left_alone(
    hooks: ImportHooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setitem(sys.modules, "hooked_one", ModuleType("hooked_one"))
    monkeypatch.setitem(sys.modules, "hooked_two", None)  # type: ignore[arg-type]
    hooks.install({"hooked_one": seen.append, "hooked_two": seen.append})
    assert seen == []


def test_module_in_the_middle_of_its_import(package: Path, hooks: ImportHooks) -> None:
    """Then the hook waits for nothing; it is called once the import is over, or not at all."""
    (package / "hooked_one.py").write_text(
        "import sys\nsys.modules['hooked_probe'](sys.modules[__name__])\nvalue = 1\n"
    )
    seen: list[Any] = []

    def probe(module: ModuleType) -> None:
        hooks.install({"hooked_one": lambda module: seen.append(module.value)})

    sys.modules["hooked_probe"] = probe  # type: ignore[assignment]
    try:
        importlib.import_module("hooked_one")
    finally:
        del sys.modules["hooked_probe"]
    assert seen == []


def test_zipped_modules(tmp_path: Path, hooks: ImportHooks, monkeypatch: Any) -> None:
    """All modules of a zip file share one loader."""
    with ZipFile(tmp_path / "lib.zip", "w") as file:
        file.writestr("hooked_one.py", "import hooked_two\nvalue = 1\n")
        file.writestr("hooked_two.py", "value = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path / "lib.zip"))
    seen: list[Any] = []
    note = lambda module: seen.append((module.__name__, module.value))  # noqa: E731
    hooks.install({"hooked_one": note, "hooked_two": note})
    try:
        importlib.import_module("hooked_one")
    finally:
        for name in ("hooked_one", "hooked_two"):
            sys.modules.pop(name, None)
    assert sorted(seen) == [("hooked_one", 1), ("hooked_two", 2)]


def test_uninstall(package: Path, hooks: ImportHooks) -> None:
    seen: list[Any] = []
    hooks.install({"hooked_one": seen.append})
    hooks.uninstall()
    assert hooks not in sys.meta_path
    importlib.import_module("hooked_one")
    assert seen == []
