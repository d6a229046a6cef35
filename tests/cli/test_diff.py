"""`bgcheck diff`, on results files and on a small database."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bgcheck.cli import main
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name, write_cell
from bgcheck_suites.matrix.database import derive, write, write_cells


def cell(
    fastapi: str, values: dict[str, str], *, unstable: bool = False, python: str = "3.12.1"
) -> Cell:
    stack = {"python": python, "fastapi": fastapi, "starlette": "0.40.0", "anyio": "4.0"}
    seen = {
        id_: Observation(id_, value, "pass", evidence=(f"saw {value}",), unstable=unstable)
        for id_, value in values.items()
    }
    return Cell(cell_name(stack), {}, stack, "measured", observations=seen)


def file_of(made: Cell, path: Path) -> str:
    write_cell(made, path)
    return str(path)


def diff(capsys: Any, *arguments: str) -> tuple[int, str]:
    code = main(["diff", *arguments])
    return code, capsys.readouterr().out


@pytest.fixture
def old(tmp_path):
    values = {"BGF-DEPS-04": "task, exit", "BGF-DEPS-05": "same", "BGF-OLD-01": "x"}
    return file_of(cell("0.105.0", values), tmp_path / "old.json")


@pytest.fixture
def new(tmp_path):
    values = {"BGF-DEPS-04": "exit, task", "BGF-DEPS-05": "same", "BGF-NEW-01": "y"}
    return file_of(cell("0.117.1", values), tmp_path / "new.json")


def database(directory: Path, cells: Sequence[Cell]) -> str:
    write(derive(cells), directory)
    write_cells(cells, directory)
    return str(directory)


@pytest.fixture
def measured(tmp_path):
    """A database: what the value is says which cell was taken."""
    made = [
        cell(fastapi, {"BGF-DEPS-04": f"{fastapi} on {python}"}, python=python)
        for fastapi, python in (
            *(("0.105.0", "3.12.1"), ("0.105.2", "3.12.1"), ("0.117.1", "3.12.1")),
            ("0.117.1", "3.13.0"),
        )
    ]
    failed = Cell("py3.9-fastapi0.90.0", {"fastapi": "0.90"}, {}, "unbuilt", "no such Python")
    return database(tmp_path / "database", [*made, failed])


def test_changes_are_listed_with_both_values_and_the_text_of_the_row(old, new, capsys):
    code, printed = diff(capsys, old, new)
    assert code == 1
    assert "1 added, 1 changed, 1 removed, 1 unchanged, 0 unstable" in printed
    row = next(line for line in printed.splitlines() if line.startswith("BGF-DEPS-04"))
    for word in ("changed", "When an async yield", "task, exit", "exit, task"):
        assert word in row
    assert "BGF-DEPS-05" not in printed
    assert "saw exit, task" not in printed


def test_verbose_shows_the_evidence_and_what_is_unchanged(old, new, capsys):
    _, printed = diff(capsys, old, new, "-v")
    for text in ("saw task, exit", "saw exit, task", "BGF-DEPS-05 unchanged: same"):
        assert text in printed


def test_json_says_the_same(old, new, capsys):
    code, printed = diff(capsys, old, new, "--json")
    kinds = {change["id"]: change["kind"] for change in json.loads(printed)["changes"]}
    assert code == 1
    assert kinds == {"BGF-DEPS-04": "changed", "BGF-NEW-01": "added", "BGF-OLD-01": "removed"}


@pytest.mark.parametrize("absent", ["not applicable", "not supported"])
def test_what_a_version_does_not_have_is_added_by_the_next(absent, tmp_path, capsys):
    before = file_of(cell("0.1.0", {"BGF-DEPS-17": absent}), tmp_path / "a.json")
    after = file_of(cell("0.2.0", {"BGF-DEPS-17": "exit, task"}), tmp_path / "b.json")
    assert "1 added, 0 changed, 0 removed" in diff(capsys, before, after)[1]
    assert "0 added, 0 changed, 1 removed" in diff(capsys, after, before)[1]


def test_a_side_is_equal_to_itself(old, capsys):
    assert diff(capsys, old, old)[0] == 0


def test_unstable_values_are_no_change_and_tell_nothing(old, tmp_path, capsys):
    racy = file_of(cell("0.1.0", {"BGF-DEPS-04": "?"}, unstable=True), tmp_path / "racy.json")
    code, printed = diff(capsys, racy, racy)
    assert code == 2
    assert "Inconclusive: no probe has a stable value on both sides" in printed


def test_a_side_that_crashed_is_inconclusive(old, tmp_path, capsys):
    stack = {"python": "3.12.1", "fastapi": "0.1.0"}
    crashed = file_of(Cell("py3.12.1", {}, stack, "crashed", "it stopped"), tmp_path / "c.json")
    code, printed = diff(capsys, crashed, old)
    assert code == 2
    assert "Inconclusive: py3.12.1 was not measured: crashed: it stopped" in printed


def test_a_version_that_could_not_be_built_is_inconclusive(measured, capsys):
    code, printed = diff(capsys, "0.90", "newest", "--database", measured)
    assert code == 2
    assert "py3.9-fastapi0.90.0 was not measured: unbuilt: no such Python" in printed


@pytest.mark.parametrize(
    ("before", "after", "values"),
    [
        ("0.105", "0.117", "0.105.2 on 3.12.1 -> 0.117.1 on 3.12.1"),
        ("fastapi 0.105.0", "newest", "0.105.0 on 3.12.1 -> 0.117.1 on 3.12.1"),
        ("python 3.12", "python 3.13", "0.117.1 on 3.12.1 -> 0.117.1 on 3.13.0"),
        (
            "py3.12.1-fastapi0.105.0-starlette0.40.0-anyio4.0",
            "py3.13.0-fastapi0.117.1-starlette0.40.0-anyio4.0",
            "0.105.0 on 3.12.1 -> 0.117.1 on 3.13.0",
        ),
    ],
)
def test_a_version_stands_for_its_last_patch_on_the_same_python(
    before, after, values, measured, capsys
):
    code, printed = diff(capsys, before, after, "--database", measured, "--json")
    (change,) = json.loads(printed)["changes"]
    assert code == 1
    assert f"{change['before']['value']} -> {change['after']['value']}" == values


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            "0.1",
            "'0.1' was not measured; there are fastapi 0.90, 0.105.0, 0.105.2, 0.117.1, newest; "
            "the name of a cell, a results file and a report directory do too",
        ),
        (
            "pydantic 2",
            "'pydantic 2' was not measured; there are no measured versions of pydantic",
        ),
    ],
)
def test_an_unknown_version_is_a_usage_error(wanted, message, measured, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["diff", wanted, "newest", "--database", measured])
    assert exit_.value.code == 3
    assert message in capsys.readouterr().err


def test_a_database_that_is_not_there_is_a_usage_error(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["diff", "0.1", "0.2", "--database", str(tmp_path / "none")])
    assert exit_.value.code == 3
    assert "none is no directory; `bgcheck database` writes one" in capsys.readouterr().err
