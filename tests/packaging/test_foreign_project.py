"""What a user has who installed only the wheel, beside FastAPI and a client."""

import os
import subprocess
from pathlib import Path

import pytest
from foreign import run

APP = """
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


def process_item(item_id: int, action: str = "create") -> None:
    pass


@app.post("/items/{item_id}")
def create_item(item_id: int, tasks: BackgroundTasks) -> dict[str, int]:
    tasks.add_task(process_item, item_id)
    return {"item_id": item_id}
"""

TEST = """
from fastapi.testclient import TestClient
from shop import app, process_item

from bgcheck import scheduled


def test_create(bgtasks):
    assert TestClient(app).post("/items/42").json() == {"item_id": 42}
    assert bgtasks == [scheduled(process_item, 42, action="create")]
    assert bgtasks.one(process_item).outcome == "succeeded"
"""


# Of Starlette 0.27: its TestClient hands httpx an option that is deprecated, and under anyio 4 it
# leaves streams open. Of Starlette up to 0.52: it uses a name that anyio has deprecated since.
# Of FastAPI 0.100: it uses a function that pydantic has deprecated since.
IGNORED = (
    "ignore:The 'app' shortcut",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:The anyio.abc.BlockingPortal alias",
    "ignore:`general_plain_validator_function`",
)


def run_pytest(
    python: str, where: Path, *options: str, **files: str
) -> "subprocess.CompletedProcess[str]":
    """Write a project and run its tests there, with its own interpreter."""
    for name, text in files.items():
        (where / f"{name}.py").write_text(text, encoding="utf-8")
    filters = [option for text in ("error", *IGNORED) for option in ("-W", text)]
    command = [python, "-I", "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    command += [*filters, *options]
    # On a CI machine pytest prints every message once more, in its summary.
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
    return subprocess.run(command, cwd=where, env=env, capture_output=True, text=True, check=False)


def test_a_test_that_uses_bgtasks_passes(foreign_python: str, tmp_path: Path) -> None:
    done = run_pytest(foreign_python, tmp_path, shop=APP, test_shop=TEST)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_wrong_expectation_fails_at_its_line(foreign_python: str, tmp_path: Path) -> None:
    wrong = TEST.replace('action="create"', 'action="update"')
    done = run_pytest(foreign_python, tmp_path, shop=APP, test_shop=wrong)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert '>       assert bgtasks == [scheduled(process_item, 42, action="update")]' in done.stdout
    assert "shop.py:13" in done.stdout
    assert "POST /items/42" in done.stdout


@pytest.mark.parametrize("name", ["harness", "suites", "reference_app", "tests"])
def test_no_directory_of_the_project_is_importable(
    foreign_python: str, tmp_path: Path, name: str
) -> None:
    code = f"import importlib.util as u; print(u.find_spec({name!r}))"
    assert run(foreign_python, "-c", code, cwd=tmp_path) == "None\n"


@pytest.mark.parametrize("name", ["bgcheck", "bgcheck_suites", "bgcheck_reference"])
def test_the_packages_come_from_the_wheel(foreign_python: str, tmp_path: Path, name: str) -> None:
    code = f"import importlib.util as u; print(u.find_spec({name!r}).origin)"
    assert "site-packages" in run(foreign_python, "-c", code, cwd=tmp_path)


def test_the_plugin_is_on_without_being_asked(foreign_python: str, tmp_path: Path) -> None:
    assert "bgtasks" in run(foreign_python, "-m", "pytest", "--fixtures", cwd=tmp_path)


def test_the_command_tells_its_version(foreign_python: str, tmp_path: Path) -> None:
    assert "fastapi" in run(foreign_python, "-m", "bgcheck", "--version", cwd=tmp_path)
