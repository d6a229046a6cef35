"""`bgcheck expect update`, on small cells."""

from pathlib import Path

import pytest

from bgcheck.cli import main
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name, write_cell

WHY = ("--reason", "We never do that.", "--link", "https://example.org/7")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_of(fastapi: str, *, status: str = "measured", family: str = "BGF-", **statuses: str) -> str:
    """Write a cell; names such as `order_01` stand for ids."""
    stack = {"python": "3.12.1", "fastapi": fastapi, "starlette": "0.40.0", "anyio": "4.0"}
    seen = {
        id_: Observation(id_, "", found)
        for id_, found in (
            (family + name.upper().replace("_", "-"), found) for name, found in statuses.items()
        )
    }
    file = Path(f"cell-{fastapi}.json")
    write_cell(Cell(cell_name(stack), {}, stack, status, "it stopped", seen), file)  # type: ignore[arg-type]
    return str(file)


def expect(*arguments: str) -> int:
    return main(["expect", "update", *arguments])


NEW = """\
[[BGF-ORDER-01]]
when = "fastapi >= 0.106.0, < 0.118.0"
reason = "We never do that."
link = "https://example.org/7"
"""


def test_what_fails_gets_the_smallest_condition(project, capsys):
    runs = [
        run_of(fastapi, order_01=status, order_02="pass", order_03="warn")
        for fastapi, status in (
            *(("0.105.0", "pass"), ("0.106.0", "fail"), ("0.117.0", "fail"), ("0.118.0", "pass")),
        )
    ]
    assert expect(*runs, *WHY) == 0
    assert Path("expectations.toml").read_text() == NEW
    assert capsys.readouterr().out == (
        "added: BGF-ORDER-01: fastapi >= 0.106.0, < 0.118.0\n"
        "expectations.toml: 1 added, 0 changed, 0 removed\n"
    )


LISTED = """\
# What we know.

[[BGF-ORDER-01]] # the worst
when = "fastapi >= 0.106"
reason = "Known." # by everybody
link = "issue 1"

# Gone soon.
[[BGF-ORDER-02]]
when = "fastapi >= 0.100"
reason = "Was known."
link = "issue 2"

[[BGF-ORDER-04]]
when = "python < 3.11"
reason = "Elsewhere."
link = "issue 4"
"""


def test_comments_and_reasons_stay(project, capsys):
    Path("expectations.toml").write_text(LISTED)
    old = run_of("0.110.0", order_01="expected-fail", order_02="unexpected-pass", order_04="pass")
    new = run_of("0.120.0", order_01="unexpected-pass", order_02="unexpected-pass")
    assert expect(old, new) == 0
    first, _, rest = LISTED.partition("# Gone soon.")
    last = rest.partition("[[BGF-ORDER-04]]")[2]
    text = Path("expectations.toml").read_text()
    assert text.startswith(first.replace(">= 0.106", "< 0.120.0").rstrip())
    assert text.endswith(f"[[BGF-ORDER-04]]{last}")
    assert "BGF-ORDER-02" not in text
    assert capsys.readouterr().out == (
        "changed: BGF-ORDER-01: fastapi >= 0.106 is now fastapi < 0.120.0\n"
        "removed: BGF-ORDER-02: fastapi >= 0.100\n"
        "expectations.toml: 0 added, 1 changed, 1 removed\n"
    )


def test_a_condition_that_is_right_stays_as_it_is_written(project):
    Path("expectations.toml").write_text(LISTED)
    assert expect(run_of("0.110.0", order_01="expected-fail")) == 0
    assert Path("expectations.toml").read_text() == LISTED


def test_a_second_stretch_is_a_second_entry(project):
    Path("expectations.toml").write_text(NEW)
    statuses = {"0.106.0": "fail", "0.118.0": "pass", "0.130.0": "fail"}
    runs = [run_of(fastapi, order_01=status) for fastapi, status in statuses.items()]
    assert expect(*runs, "--reason", "Again.", "--link", "issue 9") == 0
    text = Path("expectations.toml").read_text()
    assert text.count("[[BGF-ORDER-01]]") == 2
    assert text.endswith('when = "fastapi >= 0.130.0"\nreason = "Again."\nlink = "issue 9"\n')


def test_a_new_entry_needs_a_reason_and_a_link(project, capsys):
    run = run_of("0.110.0", order_01="fail")
    with pytest.raises(SystemExit) as exit_:
        expect(run, "--reason", "Why.")
    assert exit_.value.code == 3
    assert (
        "BGF-ORDER-01 fails on fastapi >= 0.110.0, and is not listed: a new entry needs --reason "
        "and --link" in capsys.readouterr().err
    )
    assert not Path("expectations.toml").exists()


def test_a_run_that_stopped_tells_nothing(project, capsys):
    assert expect(run_of("0.110.0", status="crashed"), *WHY) == 2
    assert capsys.readouterr().out == (
        "left out: py3.12.1-fastapi0.110.0-starlette0.40.0-anyio4.0: crashed: it stopped\n"
        "inconclusive: no run was measured to its end\n"
    )


def test_a_file_with_an_unknown_id_is_a_usage_error(project, capsys):
    Path("expectations.toml").write_text(LISTED.replace("ORDER-04", "ORDER-99"))
    with pytest.raises(SystemExit) as exit_:
        expect(run_of("0.110.0", order_01="fail"), *WHY)
    assert exit_.value.code == 3
    assert "expectations.toml: BGF-ORDER-99 is no requirement; there are" in capsys.readouterr().err


def test_an_entry_that_no_run_is_about_stays_beside_one_that_changes(project):
    elsewhere = NEW.replace("fastapi >= 0.106.0, < 0.118.0", "python < 3.11")
    Path("expectations.toml").write_text(f"{elsewhere}\n{NEW}")
    runs = [run_of("0.110.0", order_01="fail"), run_of("0.117.0", order_01="pass")]
    assert expect(*runs) == 0
    changed = NEW.replace(">= 0.106.0, < 0.118.0", "< 0.117.0")
    assert Path("expectations.toml").read_text() == f"{elsewhere}\n{changed}"


def test_entries_about_one_endpoint_are_left_alone(project, capsys):
    listed = NEW.replace("BGF-ORDER", "BGC-ERR") + 'request = "POST /items/1"\n'
    Path("expectations.toml").write_text(listed)
    runs = [run_of(version, family="BGC-", err_01="fail") for version in ("0.110.0", "0.120.0")]
    assert expect(*runs) == 0
    assert Path("expectations.toml").read_text() == listed
    assert capsys.readouterr().out.endswith("0 added, 0 changed, 0 removed\n")
