"""A foreign project with the wheel gates its own endpoint in three lines."""

from pathlib import Path

import pytest
from test_foreign_project import APP, run_pytest

THREE_LINES = """
from bgcheck_suites import TaskContract


class TestCreateItem(TaskContract):
    app = "shop:app"
    request = "POST /items/1"
"""
APPLIES = {
    *("RESP_01", "RESP_02", "ERR_01", "ERR_03", "ARG_01", "ARG_02", "ARG_03", "ARG_04"),
    *("VAL_01", "RUN_01", "END_01"),
}
MARKED = """
import pytest


@pytest.mark.contract("POST /items/1", app="shop:app")
def test_create_item(): ...
"""


def outcomes(output: str, word: str) -> set[str]:
    """Return the requirements whose test ended so, as pytest's `-v` prints it."""
    return {
        line.partition("test_BGC_")[2].split(" ")[0]
        for line in output.splitlines()
        if "test_BGC_" in line and f" {word} " in f"{line} "
    }


def test_three_lines_give_sixteen_tests(foreign_python: str, tmp_path: Path) -> None:
    done = run_pytest(foreign_python, tmp_path, "-v", shop=APP, test_shop=THREE_LINES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed, 5 skipped" in done.stdout
    assert outcomes(done.stdout, "PASSED") == APPLIES


@pytest.mark.parametrize(
    ("correct", "faulty", "failing"),
    [
        ("    pass\n", "    try:\n        int('1')\n    except Exception: pass\n", "ERR_01"),
        ("process_item, item_id)", "process_item, str(item_id))", "ARG_01"),
        ("    pass\n", "    open(__file__).read()\n", "END_01"),
    ],
)
def test_a_planted_fault_fails_its_test_only(
    foreign_python: str, tmp_path: Path, correct: str, faulty: str, failing: str
) -> None:
    shop = APP.replace(correct, faulty)
    assert shop != APP
    done = run_pytest(foreign_python, tmp_path, "-v", shop=shop, test_shop=THREE_LINES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(done.stdout, "FAILED") == {failing}
    assert outcomes(done.stdout, "PASSED") == APPLIES - {failing}


@pytest.mark.parametrize(("declared", "code"), [(False, 0), (True, 1)])
@pytest.mark.parametrize(
    "name",
    [
        *("uses_database", "async_tasks", "several_tasks", "schedules_nested", "retries"),
        "records_failures",
    ],
)
def test_a_capability_is_probed(
    foreign_python: str, tmp_path: Path, name: str, declared: bool, code: int
) -> None:
    test = f"{THREE_LINES}    capabilities = {{{name!r}: {declared}}}\n"
    done = run_pytest(foreign_python, tmp_path, "-k", "capabilities", shop=APP, test_shop=test)
    assert done.returncode == code, done.stdout + done.stderr
    if declared:
        assert f"The capability {name} is declared True, and was probed False." in done.stdout


def test_a_marked_function_is_a_gate(foreign_python: str, tmp_path: Path) -> None:
    done = run_pytest(foreign_python, tmp_path, shop=APP, test_shop=MARKED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed, 5 skipped" in done.stdout
