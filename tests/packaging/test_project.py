"""Facts about the project that no single module can keep."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import ROOT

LINES_OF_A_FUNCTION = 60
LINES_OF_A_MODULE = 450
LINES_OF_A_TEST_MODULE = 700
PYTHONS = re.findall(
    r'"Programming Language :: Python :: (3\.\d+)"',
    (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
)
CELLS = sorted(ROOT.glob("tests/cells/*.txt"))
MODULES = sorted(
    path
    for folder in ("harness", "suites", "reference_app", "tests")
    for path in (ROOT / folder).rglob("*.py")
)


def read(name: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def long_functions(path: Path) -> Iterator[str]:
    """Yield every function of a module that is too long."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LINES_OF_A_FUNCTION:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"


def commands(readme: str) -> list[str]:
    """Return the commands of the first shell block of the README."""
    block = re.search(r"```(?:sh|console|bash)\n(.*?)```", readme, re.DOTALL)
    assert block, "the README opens with no shell block"
    return [line for line in block[1].splitlines() if line and not line.startswith("#")]


def test_no_function_is_too_long() -> None:
    assert MODULES
    assert [found for path in MODULES for found in long_functions(path)] == []


def most_lines(path: Path) -> int:
    """Return how long a module may be: the tests of one thing may be longer than the thing."""
    is_test = path.is_relative_to(ROOT / "tests")
    return LINES_OF_A_TEST_MODULE if is_test else LINES_OF_A_MODULE


def test_no_module_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {
        f"{path.relative_to(ROOT)} has {lines} lines"
        for path, lines in lengths.items()
        if lines > most_lines(path)
    } == set()


def test_no_package_defines_what_a_submodule_of_it_replaces() -> None:
    """The import of a submodule sets the name in its package, whatever that was before."""
    packages = [path for path in MODULES if path.name == "__init__.py"]
    replaced = {
        f"{path.parent.relative_to(ROOT)}: {node.name}"
        for path in packages
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and {path.with_name(f"{node.name}.py"), path.with_name(node.name) / path.name}
        & set(MODULES)
    }
    assert packages
    assert replaced == set()


def test_python_versions_agree() -> None:
    assert sorted(PYTHONS, key=lambda version: int(version.split(".")[1])) == PYTHONS
    assert f'requires-python = ">={PYTHONS[0]}"' in read("pyproject.toml")
    lowest = PYTHONS[0].replace(".", "")
    assert f'target-version = "py{lowest}"' in read("pyproject.toml")
    assert f'pythonVersion = "{PYTHONS[0]}"' in read("pyproject.toml")
    assert f"base_python = py{lowest}" in read("tox.ini")


@pytest.mark.parametrize("name", ["tox.ini", "toxfile.py", "noxfile.py", "pyproject.toml"])
def test_versions_of_fastapi_are_written_in_the_cells_only(name: str) -> None:
    text = re.sub(r"(?m)#.*$", "", read(name))
    assert re.findall(r"fastapi[^\n]*?(?:==|<)\s*[\d.]+", text, re.IGNORECASE) == []


def test_every_cell_constrains_fastapi_to_the_release_it_is_named_for() -> None:
    assert len(CELLS) > 1
    for path in CELLS:
        release = path.stem.removeprefix("fastapi")
        pinned = re.findall(r"(?m)^fastapi==([\d.]+)\.\*$", path.read_text(encoding="utf-8"))
        assert pinned == ([] if path.stem == "newest" else [release])


def test_ci_runs_cells_that_exist() -> None:
    named = set(re.findall(r'"\$(?:lowest|highest)-([\w.]+)"', read(".ci/run")))
    assert "newest" in named
    assert named <= {path.stem for path in CELLS}


def test_ci_ends_with_the_test_command_of_the_readme() -> None:
    conform, tests = commands(read("README.md"))
    assert conform.endswith("bgcheck conform")
    lines = read(".ci/run").splitlines()
    assert tests in lines
    after = [line for line in lines[lines.index(tests) + 1 :] if "venv" in line or "tox" in line]
    # What has failed may run once more by itself, and nothing else.
    assert [line.split()[:2] for line in after] == [[".venv/bin/pytest", "--last-failed"]]
