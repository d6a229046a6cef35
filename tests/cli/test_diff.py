"""`bgcheck diff`, on results files."""

import json
from pathlib import Path
from typing import Any

import pytest

from bgcheck.cli import main
from bgcheck_suites.answers.sides import SideError, find_side
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name, write_cell
from bgcheck_suites.matrix.database import derive, write, write_cells
from bgcheck_suites.values import NOT_MEASURED


def cell(fastapi: str, values: dict[str, str], *, unstable: bool = False) -> Cell:
    stack = {"python": "3.12.1", "fastapi": fastapi, "starlette": "0.40.0", "anyio": "4.0"}
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


def test_changes_are_listed_with_the_evidence_of_both_sides(old, new, capsys):
    code, printed = diff(capsys, old, new)
    assert code == 1
    for text in ("saw task, exit", "saw exit, task", "no such probe"):
        assert text in printed
    assert "1 added, 1 changed, 1 removed, 1 unchanged, 0 unstable or not measured" in printed
    assert "BGF-DEPS-05" not in printed
    assert "BGF-DEPS-05 unchanged: same" in diff(capsys, old, new, "-v")[1]


def test_json_says_the_same(old, new, capsys):
    code, printed = diff(capsys, old, new, "--json")
    kinds = {change["id"]: change["kind"] for change in json.loads(printed)["changes"]}
    assert code == 1
    assert kinds == {"BGF-DEPS-04": "changed", "BGF-NEW-01": "added", "BGF-OLD-01": "removed"}


def test_a_side_is_equal_to_itself(old, capsys):
    assert diff(capsys, old, old)[0] == 0


def test_unstable_values_are_no_change_and_tell_nothing(old, tmp_path, capsys):
    racy = file_of(cell("0.1.0", {"BGF-DEPS-04": "?"}, unstable=True), tmp_path / "racy.json")
    assert diff(capsys, racy, racy)[0] == 2


def test_what_was_not_measured_is_no_change(old, tmp_path, capsys):
    lacking = file_of(cell("0.1.0", {"BGF-DEPS-04": NOT_MEASURED}), tmp_path / "lacking.json")
    code, printed = diff(capsys, old, lacking, "--json")
    assert code == 2
    assert json.loads(printed)["untold"] == ["BGF-DEPS-04"]


def test_versions_come_from_the_database(tmp_path):
    cells = [cell("0.105.0", {"BGF-DEPS-04": "a"}), cell("0.117.1", {"BGF-DEPS-04": "b"})]
    write(derive(cells), tmp_path)
    write_cells(cells, tmp_path)
    for wanted in ("0.117", "newest", "fastapi 0.117.1", cells[1].name, "starlette 0.40"):
        side = find_side(wanted, tmp_path)
        assert (side.name, side.seen["BGF-DEPS-04"].value) == (cells[1].name, "b")
    with pytest.raises(SideError) as error:
        find_side("0.1", tmp_path)
    assert str(error.value) == (
        "'0.1' was not measured; there are fastapi 0.105.0, 0.117.1, newest"
    )


def test_an_unknown_version_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["diff", "9.9", "9.9"])
    assert exit_.value.code == 3
    assert "'9.9' was not measured; there are" in capsys.readouterr().err
