"""`bgcheck upgrade`, on a small database and small reports."""

import json
from pathlib import Path
from typing import Any

import pytest

from bgcheck.cli import main
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name
from bgcheck_suites.matrix.database import derive, write, write_cells

VALUES: dict[str, dict[str, str]] = {
    "BGF-SESSION-01": {"0.105.0": "open", "0.110.0": "closed", "0.120.0": "open"},
    "BGF-SESSION-06": {"0.105.0": "holds", "0.110.0": "holds", "0.120.0": "does not hold"},
    "BGF-MW-05": {"0.105.0": "first", "0.110.0": "first", "0.120.0": "last"},
    "BGF-DEPS-17": {"0.105.0": "not supported", "0.110.0": "x", "0.120.0": "y"},
    "BGF-INJ-12": {
        "0.105.0": "raises FastAPIError when the route is defined",
        **dict.fromkeys(("0.110.0", "0.120.0"), "injected"),
    },
    "BGF-ORDER-01": dict.fromkeys(("0.105.0", "0.110.0", "0.120.0"), "holds"),
    "BGF-ERR-18": {"0.105.0": "a", "0.110.0": "a", "0.120.0": "b"},
}
OWN_SESSION = ["add-task", "session-factory-argument"]
OF_THE_REQUEST = ["add-task", "def-yield-dependency", "session-argument"]


def cell(fastapi: str) -> Cell:
    stack = {"python": "3.12.1", "fastapi": fastapi, "starlette": "0.40.0", "anyio": "4.0"}
    seen = {id_: Observation(id_, values[fastapi], "pass") for id_, values in VALUES.items()}
    return Cell(cell_name(stack), {}, stack, "measured", observations=seen)


@pytest.fixture
def database(tmp_path):
    cells = [cell(fastapi) for fastapi in ("0.105.0", "0.110.0", "0.120.0")]
    write(derive(cells), tmp_path / "database")
    write_cells(cells, tmp_path / "database")
    return str(tmp_path / "database")


@pytest.fixture
def report(tmp_path):
    """Write a report with a task for each list of patterns."""

    def make(*tasks: list[str], complete: bool = True) -> str:
        site = {"file": "shop.py", "function": "create"}
        lines: list[dict[str, Any]] = [{"type": "header", "stack": {}}]
        lines += [
            {"type": "task", "func": f"task_{n}", "site": {**site, "line": n}, "patterns": patterns}
            for n, patterns in enumerate(tasks, 1)
        ]
        lines.append({"type": "footer", "complete": complete})
        file = Path(tmp_path / "used.json")
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(file)

    return make


@pytest.fixture
def upgrade(database, capsys):
    def run(*options: str) -> tuple[int, str]:
        code = main(["upgrade", "--from", "0.105", "--database", database, *options])
        return code, capsys.readouterr().out

    return run


BROKEN = """\
The app schedules tasks at 1 place: add-task (1), session-factory-argument (1)

No longer holds (MUST):
  BGF-SESSION-06  A task with a session of its own finds what its endpoint committed after
                scheduling it.
      before    holds
      after     does not hold
      used by   task_1 (shop.py:1)
      patterns  session-factory-argument
      to do     See whether the app or its tests count on the value before.
      evidence  BGF-SESSION-06 in py3.12.1-fastapi0.105.0-starlette0.40.0-anyio4.0 and
                py3.12.1-fastapi0.120.0-starlette0.40.0-anyio4.0

Changes:
  BGF-ERR-18  Whether the background of the response of the 500 handler runs.
      before    a
      after     b
      used by   task_1 (shop.py:1)
      to do     See whether the app or its tests count on the value before.
      evidence  BGF-ERR-18 in py3.12.1-fastapi0.105.0-starlette0.40.0-anyio4.0 and
                py3.12.1-fastapi0.120.0-starlette0.40.0-anyio4.0

2 things change, 0 only on the way, 0 new
"""


def test_what_the_app_uses_is_listed_worst_first(upgrade, report):
    code, printed = upgrade("--used", report(OWN_SESSION))
    assert code == 1
    head, _, rest = printed.partition("\nThe app")
    assert head.split() == [
        "py3.12.1-fastapi0.105.0-starlette0.40.0-anyio4.0",
        "->",
        "py3.12.1-fastapi0.120.0-starlette0.40.0-anyio4.0",
    ]
    assert f"The app{rest}" == BROKEN


def test_what_differs_only_on_the_way_is_told_apart(upgrade, report):
    _, printed = upgrade("--used", report(OF_THE_REQUEST))
    _, _, passing = printed.partition("The same at both ends, but different on the way:\n")
    assert passing.startswith(
        "An upgrade in one step changes nothing here. A release on the way does, and so does a "
        "range of\nreleases that a library supports: what is to do makes the app independent of "
        "it.\n"
        "  BGF-SESSION-01  In which state a task finds the session of a yield dependency.\n"
        "      before    open\n"
        "      between   closed (fastapi 0.110.0)\n"
        "      after     open\n"
        "      used by   task_1 (shop.py:1)\n"
        "      patterns  def-yield-dependency, session-argument\n"
        "      to do     Open a session of its own in the task, and pass keys instead of objects.\n"
    )
    assert "BGF-SESSION-06" not in printed


def test_a_stop_on_the_way_changes_it(upgrade, report):
    code, printed = upgrade("--to", "0.110", "--used", report(OF_THE_REQUEST))
    assert code == 1
    assert "BGF-SESSION-01" in printed.partition("Changes:")[2]
    assert "1 thing changes, 0 only on the way, 0 new\n" in printed


def test_nothing_that_the_app_uses_changes(upgrade, report):
    code, printed = upgrade("--to", "0.110", "--used", report(OWN_SESSION))
    assert code == 0
    assert printed.endswith("\n0 things change, 0 only on the way, 0 new\n")


def test_without_a_report_everything_counts(upgrade):
    code, printed = upgrade()
    assert code == 1
    assert "For every pattern that is measured; --used FILE asks for those of an app." in printed
    for id_ in ("BGF-SESSION-06", "BGF-MW-05", "BGF-INJ-12", "BGF-SESSION-01"):
        assert id_ in printed
    assert "New, so that nothing can count on it yet: BGF-DEPS-17" in printed


def test_markdown(upgrade, report):
    _, printed = upgrade("--used", report(OWN_SESSION), "--markdown")
    assert "\n#### No longer holds (MUST)\n\n- **BGF-SESSION-06** A task with" in printed
    assert "\n  - before: `holds`\n  - after: `does not hold`\n" in printed


def test_an_incomplete_report_is_inconclusive(upgrade, report):
    code, printed = upgrade("--used", report(OWN_SESSION, complete=False))
    assert code == 2
    assert printed.endswith(
        "inconclusive: the test run behind the report is incomplete, so that patterns may be "
        "missing\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n", "it does not begin with the header of a --bgcheck-json report"),
        ("no json\n", "is no file of JSON lines"),
    ],
)
def test_a_report_that_is_none_is_a_usage_error(text, message, tmp_path, capsys):
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(SystemExit) as exit_:
        main(["upgrade", "--from", "0.105", "--used", str(file)])
    assert exit_.value.code == 3
    assert message in capsys.readouterr().err
