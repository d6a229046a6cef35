"""A foreign project with the wheel gates its own endpoint in three lines."""

from pathlib import Path

import pytest
from foreign import closure, link
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

MARKED_ASYNC = """
import pytest

DONE = []


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.contract("POST /items/1", app="shop:app")
async def test_create_item():
    DONE.append(1)


def test_the_body_runs_where_a_requirement_holds():
    assert len(DONE) == 10
"""
KNOWN = """
[[BGC-ERR-01]]
when = "fastapi >= 0.100"
reason = "Nobody reads the log."
link = "https://example.org/issues/7"
request = "POST /items/1"
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


BODY, CALL, ANSWER = "    pass\n", "process_item, item_id)", '{"item_id": item_id}'
FAULTS = {
    "ERR_01": {BODY: "    try:\n        int('1')\n    except Exception: pass\n"},
    "ERR_03": {
        BODY: "    SEEN.append(1)\n    int('1')\n    SEEN.remove(1)\n\n\nSEEN: list[int] = []\n",
        ANSWER: '{"item_id": len(SEEN)}',
    },
    "ARG_01": {CALL: "process_item, str(item_id))"},
    "ARG_03": {
        BODY: "    tags.append(1)\n\n\nTAGS = [7]\n",
        "item_id: int, action": "item_id: int, tags: list[int], action",
        CALL: "process_item, item_id, TAGS)",
    },
    "RUN_01": {
        BODY: "    before = SOLD['n']\n    import time\n    time.sleep(1)\n"
        "    SOLD['n'] = before + 1\n\n\nSOLD = {'n': 0}\n"
    },
    "END_01": {BODY: "    open(__file__).read()\n"},
}
"""For each requirement what to replace in the app, so that it does not hold and others do."""


def faulty_shop(changes: dict[str, str]) -> str:
    """Return the app with a fault."""
    shop = APP
    for correct, faulty in changes.items():
        assert correct in shop
        shop = shop.replace(correct, faulty)
    return shop


def test_a_planted_fault_fails_its_test_only(foreign_python: str, tmp_path: Path) -> None:
    files = {f"shop_{name}": faulty_shop(changes) for name, changes in FAULTS.items()}
    for name in FAULTS:
        files[f"test_{name}"] = THREE_LINES.replace("shop:app", f"shop_{name}:app")
    done = run_pytest(foreign_python, tmp_path, "-v", "-p", "no:randomly", **files)
    assert done.returncode == 1, done.stdout + done.stderr
    for failing in FAULTS:
        lines = [line for line in done.stdout.splitlines() if f"test_{failing}.py::" in line]
        printed = "\n".join(line for line in lines if " - " not in line)
        broken = outcomes(printed, "FAILED") | outcomes(printed, "XFAIL")
        assert broken == {failing}, done.stdout
        assert outcomes(printed, "PASSED") == APPLIES - {failing}, done.stdout


CAPABLE = """
import logging
import sys

sys.path.append({extra!r})

from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

app = FastAPI()
engine = create_engine("sqlite:///{database}", poolclass=QueuePool)
logger = logging.getLogger("shop")
failures = []


def log_it(number: int) -> None:
    try:
        int(str(number))
    except Exception:
        logger.exception("failed")


async def do_all(tasks: BackgroundTasks, number: int) -> None:
    for _ in range(3):
        try:
            int(str(number))
            break
        except Exception:
            logger.warning("again")
    else:
        failures.append(number)
        raise RuntimeError("gave up")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    tasks.add_task(log_it, number)


@app.post("/nothing/{{number}}")
def nothing(number: int, tasks: BackgroundTasks) -> None:
    tasks.add_task(log_it, number)


@app.post("/all/{{number}}")
def everything(number: int, tasks: BackgroundTasks) -> None:
    tasks.add_task(do_all, tasks, number)
    tasks.add_task(log_it, number)
"""
DECLARED = """
from bgcheck_suites import TaskContract


class Test{name}(TaskContract):
    app = "shop:app"
    request = "POST /{path}/1"
    capabilities = {capabilities}
"""
CAPABILITIES = (
    *("uses_database", "async_tasks", "several_tasks", "schedules_nested", "retries"),
    *("records_failures", "raises_failures"),
)


@pytest.fixture(scope="module")
def capable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A shop with an endpoint that has every capability, and one that has none."""
    where = tmp_path_factory.mktemp("extra")
    for name in closure(("sqlalchemy",)):
        link(name, where)
    return CAPABLE.format(extra=str(where), database=where / "shop.db")


def declaring(has: bool, wrong: str = "") -> str:
    """Write a class that declares all capabilities of an endpoint, one of them wrongly."""
    declared = {name: has != (name == wrong) for name in CAPABILITIES}
    path = "all" if has else "nothing"
    return DECLARED.format(name=f"{path}_{wrong}", path=path, capabilities=declared)


def test_capabilities_that_are_declared_as_they_are(
    foreign_python: str, tmp_path: Path, capable: str
) -> None:
    test = declaring(True) + declaring(False)
    done = run_pytest(foreign_python, tmp_path, "-k", "capabilities", shop=capable, test_shop=test)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_both_branches_of_each_capability_are_probed(
    foreign_python: str, tmp_path: Path, capable: str
) -> None:
    cases = [(has, name) for has in (True, False) for name in CAPABILITIES]
    test = "".join(declaring(has, name) for has, name in cases)
    done = run_pytest(foreign_python, tmp_path, "-k", "capabilities", shop=capable, test_shop=test)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{len(cases)} failed" in done.stdout
    for has, name in cases:
        message = f"The capability {name} is declared {not has}, and was probed {has}."
        assert done.stdout.count(message) == 1, done.stdout


def test_what_is_known_to_fail_is_listed(foreign_python: str, tmp_path: Path) -> None:
    silent = "    try:\n        int('1')\n    except Exception: pass\n"
    (tmp_path / "expectations.toml").write_text(KNOWN, encoding="utf-8")
    shop, test = APP.replace("    pass\n", silent), MARKED_ASYNC
    done = run_pytest(foreign_python, tmp_path, "-v", shop=shop, test_shop=test)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed, 5 skipped, 1 xfailed" in done.stdout  # one is the last test


def test_a_marked_function_is_a_gate(foreign_python: str, tmp_path: Path) -> None:
    done = run_pytest(foreign_python, tmp_path, shop=APP, test_shop=MARKED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed, 5 skipped" in done.stdout
