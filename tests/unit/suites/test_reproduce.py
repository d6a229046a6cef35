"""Standalone reproductions: each framework probe as a script without bgcheck."""

import ast
import contextlib
import io
import statistics
import warnings

import pytest

from bgcheck_suites.faults import plant
from bgcheck_suites.registry import registry, select
from bgcheck_suites.reproduce import reproduction

ROWS = select(registry(), suites=["framework"])
SCRIPTS = {id_: reproduction(id_) for id_ in ROWS}
IN_PROCESS = [id_ for id_, text in SCRIPTS.items() if "uvicorn" not in text]
ABOUT_BGCHECK = {id_ for id_, row in ROWS.items() if "bgcheck documentation" in str(row.source)}


def run(id_: str) -> str:
    """Return what a script prints, and the error that it ends with."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(SCRIPTS[id_], id_, "exec"), {"__name__": "probe", "__file__": __file__})
        except (AssertionError, SystemExit) as error:
            print(f"{type(error).__name__}: {error}", file=shown)
    return shown.getvalue()


def imported(text: str) -> set[str]:
    """Return the packages that a script imports."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [n.module for n in nodes if isinstance(n, ast.ImportFrom)]
    names += [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    return {str(name).split(".")[0] for name in names}


@pytest.mark.parametrize("id_", ROWS)
def test_a_script_stands_alone(id_):
    compile(SCRIPTS[id_], id_, "exec")
    packages = imported(SCRIPTS[id_])
    assert "bgcheck_suites" not in packages
    assert "bgcheck" not in packages or id_ in ABOUT_BGCHECK
    assert ROWS[id_].text in SCRIPTS[id_]


@pytest.mark.parametrize("id_", IN_PROCESS)
def test_a_script_runs_and_says_what_happens(id_):
    row = ROWS[id_]
    printed = run(id_)
    assert printed.strip()
    if row.kind == "requirement":
        assert not any(line.startswith("AssertionError") for line in printed.splitlines())


def test_short_scripts_are_common():
    lengths = [len(text.splitlines()) for text in SCRIPTS.values()]
    assert statistics.quantiles(lengths, n=10)[0] <= 25
    assert statistics.median(lengths) <= 70


def test_the_script_of_a_plain_probe_is_short():
    assert reproduction("BGF-ARGS-03") == (
        "# BGF-ARGS-03 (MUST): "
        "Arguments are not copied: a task sees what changed after it was scheduled.\n"
        "# required: received == ['changed']\n"
        "from fastapi import BackgroundTasks, FastAPI\n"
        "from starlette.testclient import TestClient\n"
        "\n"
        "def scheduling_app(schedule, app=None):\n"
        "    app = app or FastAPI()\n"
        "\n"
        "    @app.get('/')\n"
        "    async def endpoint(tasks: BackgroundTasks) -> dict[str, str]:\n"
        "        schedule(tasks)\n"
        "        return {'state': 'accepted'}\n"
        "    return app\n"
        "received = []\n"
        "\n"
        "def schedule(tasks: BackgroundTasks):\n"
        "    order = {'state': 'new'}\n"
        "    tasks.add_task(lambda order: received.append(order['state']), order)\n"
        "    order['state'] = 'changed'\n"
        "TestClient(scheduling_app(schedule), raise_server_exceptions=False)"
        ".get('/', follow_redirects=False)\n"
        "print('received:', received)\n"
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
    assert broken != healthy
    assert run(id_) == healthy


def test_an_unknown_row_is_refused():
    with pytest.raises(KeyError):
        reproduction("BGF-NEW-01")
