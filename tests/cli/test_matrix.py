"""`bgcheck matrix`, `merge`, `database` and `bisect`, as they are called."""

import json
import sys

import pytest

from bgcheck.cli import main
from bgcheck_suites.matrix import running
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name, read_cells, write_cell
from bgcheck_suites.matrix.environments import BuildError

ONE = "BGF-DEPS-04"


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Cells are measured by a function; nothing is built."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("bgcheck_suites.matrix.wheels.make_wheel", lambda directory: directory)
    monkeypatch.setattr(running, "_measure", measured)


def measured(job, spec):
    version = spec.fastapi or "0.120.0"
    if version == "0.101.0":
        return Cell(spec.slug, spec.wanted, {}, "unbuilt", "it does not fit", probes=job.probes)
    value = "before the response" if version < "0.106" else "after the response"
    return made(dict.fromkeys(job.probes, value), version, spec)


def made(values, version, spec=None):
    stack = {"python": "3.13.0", "fastapi": version, "starlette": "0.40.0", "anyio": "4.0.0"}
    seen = {id_: Observation(id_, value, "pass") for id_, value in values.items()}
    wanted = spec.wanted if spec else {}
    return Cell(cell_name(stack), wanted, stack, "measured", "", seen, tuple(sorted(values)))


def test_a_matrix_is_measured_and_shown(capsys):
    assert main(["matrix", "--fastapi", "0.100.0,0.110.0", "--select", ONE]) == 0
    shown = capsys.readouterr().out
    assert "fastapi0.100.0" in shown
    assert "fastapi0.110.0" in shown
    assert [cell.status for cell in read_cells([running.Path("bgcheck-matrix")])] == [
        "measured"
    ] * 2


def test_a_cell_that_cannot_be_built_makes_it_inconclusive(capsys):
    assert main(["matrix", "--fastapi", "0.100.0,0.101.0", "--select", ONE]) == 2
    assert "it does not fit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fastapi", "x"], "'x' is no version; write 0.105.0, 0.105 (its last patch) or newest"),
        (["--select", "BGX"], "no probe matches BGX"),
        (["--repeat", "0"], "--repeat and --workers are at least 1"),
    ],
)
def test_wrong_options(capsys, options, message):
    with pytest.raises(SystemExit) as exit_:
        main(["matrix", *options])
    assert exit_.value.code == 3
    assert message in capsys.readouterr().err


def test_a_wheel_that_cannot_be_built(monkeypatch, capsys):
    def fail(directory):
        raise BuildError("no space left")

    monkeypatch.setattr("bgcheck_suites.matrix.wheels.make_wheel", fail)
    with pytest.raises(SystemExit):
        main(["matrix"])
    assert "cannot make a wheel for the cells: no space left" in capsys.readouterr().err


def test_merge_and_database(tmp_path, capsys):
    for name, version, value in (("here", "0.105.0", "before"), ("there", "0.110.0", "after")):
        (tmp_path / name / "cells").mkdir(parents=True)
        write_cell(made({ONE: value}, version), tmp_path / name / "cells" / "x.json")
    assert main(["merge", "all", "here", "there"]) == 0
    assert capsys.readouterr().out == "2 cells in all\n"
    assert main(["database", "all", "-o", "db"]) == 0
    assert capsys.readouterr().out == (
        "1 probe from 2 cells in db: 1 changes, 0 by no two packages, 0 unstable\n"
    )
    record = json.loads((tmp_path / "db" / f"{ONE}.json").read_text())
    assert [(r["since"], r["value"]) for r in record["ranges"]] == [
        ("0.105.0", "before"),
        ("0.110.0", "after"),
    ]


def test_unequal_probes_are_refused(tmp_path, capsys):
    for name, values in (("a", {ONE: "x"}), ("b", {ONE: "x", "BGF-DEPS-05": "x"})):
        write_cell(made(values, f"0.10{len(values)}.0"), tmp_path / f"{name}.json")
    with pytest.raises(SystemExit) as exit_:
        main(["merge", "out", "a.json", "b.json"])
    assert exit_.value.code == 3
    assert "lacks BGF-DEPS-05" in capsys.readouterr().err


def test_nothing_to_derive_from(tmp_path, capsys):
    write_cell(Cell("x", {}, {}, "crashed", "it stopped"), tmp_path / "x.json")
    with pytest.raises(SystemExit):
        main(["database", "x.json", "-o", "db"])
    assert "there is nothing to derive from" in capsys.readouterr().err


RELEASES = [f"0.{number}.0" for number in range(100, 112)]


def test_bisect_names_the_release(monkeypatch, capsys):
    monkeypatch.setattr("bgcheck_suites.matrix.releases.releases", lambda _: RELEASES)
    assert main(["bisect", ONE, "--fastapi", "0.102.0.."]) == 0
    shown = capsys.readouterr().out
    assert "  fastapi 0.106.0: after the response (up to 0.105.0: before the response)\n" in shown


def test_bisect_says_what_it_could_not_measure(monkeypatch, capsys):
    monkeypatch.setattr("bgcheck_suites.matrix.releases.releases", lambda _: ["0.101.0", "0.110.0"])
    assert main(["bisect", ONE]) == 2
    assert "fewer than two releases could be measured" in capsys.readouterr().out


def test_bisect_without_a_change(monkeypatch, capsys):
    monkeypatch.setattr("bgcheck_suites.matrix.releases.releases", lambda _: RELEASES)
    assert main(["bisect", ONE, "--fastapi", "0.106.0..0.111.0"]) == 0
    assert "no change: after the response" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["BGF-NO-99"], "no probe is called 'BGF-NO-99'"),
        ([ONE, "--fastapi", "0.105"], "write two releases, such as 0.105.0..0.120.0"),
        ([ONE, "--fastapi", "0.111.0.."], "fewer than two releases lie between these"),
        ([ONE, "--fastapi", "x.."], "Invalid version: 'x'"),
    ],
)
def test_bisect_refuses(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr("bgcheck_suites.matrix.releases.releases", lambda _: RELEASES)
    with pytest.raises(SystemExit) as exit_:
        main(["bisect", *arguments])
    assert exit_.value.code == 3
    assert message in capsys.readouterr().err


def test_a_real_wheel_holds_the_three_packages(tmp_path, monkeypatch):
    monkeypatch.undo()
    from zipfile import ZipFile

    from bgcheck_suites.matrix.wheels import make_wheel

    if sys.platform == "win32":
        pytest.skip("paths of file URLs differ")
    names = ZipFile(make_wheel(tmp_path)).namelist()
    for expected in (
        "bgcheck/plugin.py",
        "bgcheck_suites/requirements/framework_deps.toml",
        "bgcheck_reference/main.py",
    ):
        assert expected in names
