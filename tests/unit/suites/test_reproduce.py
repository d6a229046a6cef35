"""Standalone reproductions: each framework probe as a script without bgcheck.

A sample of them is run here; `BGCHECK_EVERY_SCRIPT=1 pytest tests/unit/suites/test_reproduce.py`
runs all.
"""

import ast
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bgcheck.report.stack import resolved_stack
from bgcheck_suites.faults import plant
from bgcheck_suites.matrix.database import shipped_record
from bgcheck_suites.registry import registry, select
from bgcheck_suites.reproduce import reproduction
from bgcheck_suites.values import at

ROWS = select(registry(), suites=["framework"])
SCRIPTS = {id_: reproduction(id_) for id_ in ROWS}
ABOUT_BGCHECK = {id_ for id_, row in ROWS.items() if "bgcheck documentation" in str(row.source)}
EVERY = bool(os.environ.get("BGCHECK_EVERY_SCRIPT"))
CHOSEN = list(SCRIPTS)[:: 1 if EVERY else 12]
RUNNER = Path(__file__).parents[2] / "support" / "run_scripts.py"


def run(id_: str) -> str:
    """Return what a script prints, and the error that it ends with."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(SCRIPTS[id_], id_, "exec"), {"__name__": "probe", "__file__": __file__})
        except AssertionError as error:
            print(f"AssertionError: {error}", file=shown)
    return shown.getvalue()


def imported(text: str) -> set[str]:
    """Return the packages that a script imports."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [n.module for n in nodes if isinstance(n, ast.ImportFrom)]
    names += [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    return {str(name).split(".")[0] for name in names}


def texts_in_texts(text: str) -> list[str]:
    """Return the values in f-strings that hold a text: Python 3.10 cannot read each of them."""
    return [
        ast.unparse(value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FormattedValue)
        for value in [node.value]
        if any(isinstance(p, ast.Constant) and isinstance(p.value, str) for p in ast.walk(value))
    ]


@pytest.mark.parametrize("id_", ROWS)
def test_a_script_stands_alone(id_):
    compile(SCRIPTS[id_], id_, "exec")
    assert texts_in_texts(SCRIPTS[id_]) == []
    packages = imported(SCRIPTS[id_])
    assert "bgcheck_suites" not in packages
    assert "bgcheck" not in packages or id_ in ABOUT_BGCHECK
    assert ROWS[id_].text in SCRIPTS[id_]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each chosen script prints last, and its errors where it fails."""
    directory = tmp_path_factory.mktemp("scripts")
    for id_ in CHOSEN:
        (directory / f"{id_}.py").write_text(SCRIPTS[id_], encoding="utf-8")
    command = [sys.executable, "-W", "ignore", str(RUNNER), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="scripts are run in forks")
@pytest.mark.parametrize("id_", CHOSEN)
def test_a_script_prints_the_measured_value(id_, printed):
    record = shipped_record(id_)
    measured = record.value_for(resolved_stack()) if record is not None else None
    last, errors = printed[id_]
    if measured == "does not hold":
        assert "AssertionError" in errors
    elif measured is not None and measured.startswith("not applicable"):
        assert last.startswith("not applicable")
    else:
        assert errors == ""
        assert last == at(measured, "in-process") or (measured is None and last)


def test_scripts_are_short():
    lengths = {
        id_: len(list(filter(None, text.splitlines())))
        for id_, text in SCRIPTS.items()
        if id_ not in ABOUT_BGCHECK
    }
    assert statistics.median(lengths.values()) <= 23
    assert max(lengths.values()) <= 120
    assert all(lengths[id_] <= 80 for id_ in lengths if "uvicorn" not in SCRIPTS[id_])


def test_the_script_of_a_plain_probe_is_what_a_user_would_write():
    assert reproduction("BGF-ARGS-03") == (
        "# BGF-ARGS-03 (MUST): "
        "Arguments are not copied: a task sees what changed after it was scheduled.\n"
        "from fastapi import BackgroundTasks, FastAPI\n"
        "from starlette.testclient import TestClient\n"
        "\n"
        "received = []\n"
        "app = FastAPI()\n"
        "\n"
        "@app.get('/')\n"
        "async def endpoint(tasks: BackgroundTasks):\n"
        "    order = {'state': 'new'}\n"
        "    tasks.add_task(lambda order: received.append(order['state']), order)\n"
        "    order['state'] = 'changed'\n"
        "\n"
        "TestClient(app).get('/').raise_for_status()\n"
        "assert received == ['changed'], received\n"
        "print('holds')\n"
    )


@pytest.mark.parametrize(
    ("fault", "id_"),
    [
        ("reverse-order", "BGF-ORDER-01"),
        ("arguments-copied", "BGF-ARGS-03"),
        ("task-before-response", "BGF-RESP-01"),
        ("def-task-on-loop", "BGF-THREAD-01"),
    ],
)
def test_a_planted_fault_changes_what_is_printed(fault, id_):
    healthy = run(id_)
    undo = plant(fault)
    try:
        broken = run(id_)
    finally:
        undo()
    assert broken.startswith("AssertionError")
    assert healthy == run(id_) == "holds\n"


def test_an_unknown_row_is_refused():
    with pytest.raises(KeyError):
        reproduction("BGF-NEW-01")
