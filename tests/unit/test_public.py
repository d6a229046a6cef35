"""The public surface: what `bgcheck` exports, and what importing it costs."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import bgcheck

SOURCE = Path(bgcheck.__file__)


def imported_for_type_checkers() -> dict[str, str]:
    """The names under `if TYPE_CHECKING:` with the modules they come from."""
    for node in ast.parse(SOURCE.read_text("utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports = [each for each in node.body if isinstance(each, ast.ImportFrom)]
            assert all(name.asname == name.name for each in imports for name in each.names)
            return {name.name: str(each.module) for each in imports for name in each.names}
    raise AssertionError("no such block")


def test_all_names_are_known_to_type_checkers_and_importable():
    names = imported_for_type_checkers()
    assert isinstance(bgcheck.__all__, tuple)
    assert list(bgcheck.__all__) == sorted(bgcheck.__all__)
    assert set(bgcheck.__all__) == set(names) == set(bgcheck._HOMES)
    for name, module in names.items():
        assert module == bgcheck._HOMES[name]
        assert getattr(bgcheck, name) is getattr(import_module(module), name)


def test_dir_lists_what_is_exported():
    assert set(bgcheck.__all__) <= set(dir(bgcheck))
    assert dir(bgcheck) == sorted(set(dir(bgcheck)))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'bgcheck' has no attribute 'schedule'$"):
        bgcheck.schedule  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'schedule'"):
        from bgcheck import schedule  # type: ignore[attr-defined]  # noqa: F401


def test_a_star_import_gives_exactly_what_is_exported():
    namespace: dict[str, object] = {}
    exec("from bgcheck import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(bgcheck.__all__)


def in_fresh_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_the_package_costs_next_to_nothing():
    added = in_fresh_process(
        "import sys, typing; before = set(sys.modules); import bgcheck; bgcheck.__version__\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    assert added.split() == ["__future__", "bgcheck"]


def test_a_name_is_imported_once_and_kept():
    assert in_fresh_process(
        "import bgcheck; before = 'scheduled' in vars(bgcheck); bgcheck.scheduled\n"
        "print(before, 'scheduled' in vars(bgcheck))"
    ) == ("False True")


@pytest.mark.parametrize("name", bgcheck.__all__)
def test_no_name_imports_a_framework(name):
    loaded = in_fresh_process(f"import sys, bgcheck; bgcheck.{name}; print(*sys.modules)").split()
    frameworks = {"starlette", "fastapi", "anyio", "sqlalchemy", "httpx", "httpx2", "pytest"}
    assert not frameworks & set(loaded)
