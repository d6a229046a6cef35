"""The grid: columns in groups, bars, counts, change points and the badge."""

from typing import Any

import pytest

from bgcheck.report.results import Result, Run
from bgcheck_suites.answers.changes import compare
from bgcheck_suites.answers.sides import find_sides
from bgcheck_suites.grid.badge import badge
from bgcheck_suites.grid.changes import by_release, changes_of, count, unexplained
from bgcheck_suites.grid.columns import arrange
from bgcheck_suites.grid.table import Grid, NothingMeasuredError, grid_of_database, make_grid
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name
from bgcheck_suites.matrix.database import SHIPPED, derive, listed
from bgcheck_suites.values import DOES_NOT_HOLD, HOLDS, NOT_APPLICABLE, NOT_MEASURED

Values = dict[str, Any]


def cell(
    fastapi: str,
    values: Values | None = None,
    *,
    python: str = "3.13.0",
    starlette: str = "0.40.0",
    unstable: tuple[str, ...] = (),
    wanted: dict[str, str] | None = None,
) -> Cell:
    stack = {"python": python, "fastapi": fastapi, "starlette": starlette, "anyio": "4.0"}
    seen = {
        id_: Observation(id_, value, "pass", unstable=id_ in unstable)
        for id_, value in (values or {}).items()
    }
    return Cell(cell_name(stack), wanted or {}, stack, "measured", observations=seen)


def grid(*cells: Cell) -> Grid:
    return make_grid(derive(cells), listed(cells))


def series(*values: str, id_: str = "BGF-DEPS-04", **options: Any) -> Grid:
    return grid(*(cell(f"0.10{n}.0", {id_: v}, **options) for n, v in enumerate(values)))


def titles(*cells: Cell) -> dict[str, list[str]]:
    return {
        group.title: [column.stack[group.package] for column in group.columns]
        for group in arrange(listed(cells))
    }


def test_versions_ascend_as_versions():
    assert titles(cell("0.115.14"), cell("0.100.0"), cell("0.115.2")) == {
        "FastAPI": ["0.100.0", "0.115.2", "0.115.14"]
    }


def test_a_cell_that_asked_for_starlette_is_in_a_group_of_its_own():
    asked = {"starlette": "0.41.0"}
    cells = [cell("0.116.0", starlette="0.41.0", wanted=asked), cell("0.115.0")]
    assert titles(*cells) == {
        "FastAPI": ["0.115.0"],
        "Starlette with FastAPI 0.116.0 on Python 3.13": ["0.41.0"],
    }


def test_cells_of_starlette_are_compared_with_those_of_the_same_fastapi():
    cells = [
        cell(fastapi, starlette=version, wanted={"starlette": version})
        for fastapi, version in (("0.108.0", "0.31.1"), ("0.133.1", "0.40.0"), ("0.108.0", "0.4"))
    ]
    assert titles(*cells) == {
        "Starlette with FastAPI 0.108.0 on Python 3.13": ["0.4", "0.31.1"],
        "Starlette with FastAPI 0.133.1 on Python 3.13": ["0.40.0"],
    }


def test_another_python_with_the_same_releases_is_a_group():
    old = [cell(version, python="3.10.13") for version in ("0.105.0", "0.162.5")]
    new = [cell(version) for version in ("0.105.0", "0.117.1", "0.165.0")]
    assert titles(*old, *new) == {
        "FastAPI": ["0.105.0", "0.117.1", "0.165.0"],
        "Python 3.10": ["0.105.0", "0.162.5"],
    }


def test_pythons_with_different_releases_make_one_series():
    assert titles(cell("0.105.0", python="3.10.13"), cell("0.117.1")) == {
        "FastAPI": ["0.105.0", "0.117.1"]
    }


def test_the_same_versions_are_one_column_where_the_first_asked_for_them():
    asked = cell("0.105.0", wanted={"starlette": "0.40.0"})
    assert titles(cell("0.105.0"), asked) == {"FastAPI": ["0.105.0"]}


def test_equal_neighbours_are_one_bar_and_a_change_is_marked():
    [line] = series("a", "a", "b", "a").lines
    [bars] = line.bars
    assert [(bar.value, bar.sign, bar.kind, bar.span, bar.changed) for bar in bars] == [
        ("a", "A", "tint0", 2, False),
        ("b", "B", "tint1", 1, True),
        ("a", "A", "tint0", 1, True),
    ]
    assert line.code == "0010"
    assert line.where == {"a": "FastAPI: 0.100.0, 0.101.0, 0.103.0", "b": "FastAPI: 0.102.0"}


def test_what_was_not_measured_is_no_change():
    [line] = series("a", NOT_MEASURED, "a", "b").lines
    assert [bar.changed for bar in line.bars[0]] == [False, False, False, True]
    assert line.code == "0-02"
    assert not series("a", NOT_MEASURED).lines[0].changing


def test_unstable_values_are_no_change():
    found = series("a", "b", unstable=("BGF-DEPS-04",))
    assert found.moving == [0, 0]
    assert count(found).changing == 0
    assert count(found).unstable == 1


def test_groups_are_not_compared_with_each_other():
    cells = [cell("0.105.0", {"BGF-DEPS-04": "a"}), cell("0.117.1", {"BGF-DEPS-04": "b"})]
    other = cell("0.105.0", {"BGF-DEPS-04": "c"}, python="3.10.13")
    found = grid(*cells, other)
    assert found.moving == [0, 1, 0]
    assert unexplained(found) == []
    assert [(p.before, p.after, str(p.given)) for p in changes_of(found.lines[0])] == [
        ("a", "b", "python 3.13 and newer")
    ]


def test_the_columns_of_the_shipped_database_differ_where_diff_says_so():
    found = grid_of_database(SHIPPED)
    names = [column.name for column in found.columns]
    sides = find_sides(names[0], names[-1])
    changed = {change.id for change in compare(*sides).changes}
    assert {line.id for line in found.lines if line.code[0] != line.code[-1]} == changed


@pytest.mark.parametrize(
    ("values", "holding"),
    [
        ((HOLDS, HOLDS), (1, 1)),
        ((HOLDS, NOT_APPLICABLE), (1, 1)),
        ((HOLDS, DOES_NOT_HOLD), (0, 1)),
        ((HOLDS, NOT_MEASURED), (0, 1)),
        ((NOT_APPLICABLE, NOT_APPLICABLE), (0, 0)),
    ],
)
def test_a_requirement_holds_where_every_cell_that_has_it_says_so(values, holding):
    assert count(series(*values, id_="BGF-ORDER-01")).levels["MUST"] == holding


def test_each_release_has_its_changes_and_what_came_with_it():
    found = grid(
        cell("0.105.0", {"BGF-DEPS-04": "a", "BGF-MW-02": NOT_APPLICABLE}),
        cell("0.106.0", {"BGF-DEPS-04": "b", "BGF-MW-02": "x"}, starlette="0.41.0"),
        cell("0.107.0", {"BGF-DEPS-04": "b", "BGF-MW-02": NOT_APPLICABLE}, starlette="0.41.0"),
    )
    [(package, releases)] = by_release(found)
    assert package == "FastAPI"
    assert [(release.title, release.came_with) for release in releases] == [
        ("FastAPI 0.106.0", "Starlette 0.40.0 to 0.41.0"),
        ("FastAPI 0.107.0", ""),
    ]
    points = [(p.line.id, p.last, p.before, p.after, p.news) for r in releases for p in r.points]
    assert points == [
        ("BGF-DEPS-04", "0.105.0", "a", "b", ""),
        ("BGF-MW-02", "0.105.0", NOT_APPLICABLE, "x", "New"),
        ("BGF-MW-02", "0.106.0", "x", NOT_APPLICABLE, "Gone"),
    ]


def test_a_cell_that_was_not_measured_is_listed_and_no_column():
    unbuilt = Cell("py3.13-fastapi0.1", {"fastapi": "0.1"}, {}, "unbuilt", "no such release")
    found = grid(cell("0.105.0", {"BGF-DEPS-04": "a"}), unbuilt)
    assert len(found.columns) == 1
    assert [entry["reason"] for entry in found.unmeasured] == ["no such release"]


def test_nothing_measured_is_an_error():
    with pytest.raises(NothingMeasuredError, match=r"^nothing was measured$"):
        make_grid({}, [])


def test_a_probe_that_is_gone_from_the_registry_is_still_shown():
    [line] = series("a", id_="BGF-GONE-99").lines
    assert line.text == "This bgcheck does not have this probe any more."


def run(*statuses: tuple[str, str | None], complete: bool = True) -> Run:
    results: Any = [
        Result(f"BGF-A-0{n}", "framework", status, "", level)  # type: ignore[arg-type]
        for n, (status, level) in enumerate(statuses)
    ]
    return Run(results=results, footer={"complete": complete})


@pytest.mark.parametrize(
    ("made", "message", "color"),
    [
        (run(("pass", "MUST"), ("pass", "SHOULD")), "MUST 1/1 · SHOULD 1/1", "brightgreen"),
        (run(("pass", "MUST"), ("warn", "SHOULD")), "MUST 1/1 · SHOULD 0/1", "yellow"),
        (run(("pass", "MUST"), ("fail", "MUST")), "MUST 1/2", "red"),
        (run(("pass", "MUST"), ("expected-fail", "MUST")), "MUST 1/2", "red"),
        (run(("pass", "MUST"), ("fail", None)), "MUST 1/1", "red"),
        (run(("pass", "MUST"), ("not-applicable", "MUST")), "MUST 1/1", "brightgreen"),
        (run(("pass", "MUST"), complete=False), "incomplete", "lightgrey"),
        (run(("not-applicable", "MUST")), "incomplete", "lightgrey"),
    ],
)
def test_a_badge_has_counts_and_a_colour(made, message, color):
    expected = {"schemaVersion": 1, "label": "bgcheck", "message": message, "color": color}
    assert badge(made) == expected
