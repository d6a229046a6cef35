"""Without FastAPI or SQLAlchemy 2: no error, and what is not checked is said once."""

from __future__ import annotations

import pytest
from checks_plugin_lab import Project, assert_outcomes, codes

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""

STARLETTE = """
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.routing import Mount, Route

def boom():
    raise ValueError("no stock")

def send(to): ...

async def fails(request):
    return Response(background=BackgroundTask(boom))

async def fine(request):
    return Response(background=BackgroundTask(send, "a"))

async def twice(request):
    response = Response()
    task = BackgroundTask(send, "a")
    return response

routes = [Route("/" + each.__name__, each, methods=["POST"]) for each in (fails, fine, twice)]
app = Starlette(routes=[Mount("/shop", routes=routes)])
"""

STARLETTE_TESTS = """
from starlette.testclient import TestClient
from shop import app, send

client = TestClient(app, raise_server_exceptions=False)

def test_fails():
    client.post("/shop/fails")

def test_twice():
    client.post("/shop/twice")

def test_fine(bgtasks):
    client.post("/shop/fine")
    assert bgtasks.one(send).outcome == "succeeded"
"""

OLD = "__version__ = '1.4.54'\n"


def absent(*names: str) -> str:
    """Write a plugin that keeps modules from being imported."""
    return f"ABSENT = {set(names)!r}\n{BLOCKER}"


def unchecked(result: pytest.RunResult) -> list[str]:
    """Return what is said of the checks for databases."""
    return [line for line in result.outlines if "not checked" in line and "SQLAlchemy" in line]


@pytest.mark.parametrize("mode", ["report", "strict"])
def test_without_sqlalchemy(project: Project, mode: str) -> None:
    project.write(absent=absent("sqlalchemy", "sqlmodel"))
    result = project.run_apart(f"--bgcheck={mode}", plugins=("absent",))
    assert_outcomes(result, **({"passed": 2, "failed": 1} if mode == "strict" else {"passed": 3}))
    assert codes(result) == ["BG201", "BG105"]
    assert unchecked(result) == [
        "bgcheck: not checked: BG401 to BG412 (SQLAlchemy was not imported)"
    ]
    result.stdout.no_fnmatch_line("*internal error*")


@pytest.mark.parametrize("mode", ["report", "strict"])
def test_with_an_old_sqlalchemy(project: Project, mode: str) -> None:
    project.write(sqlalchemy=OLD, conftest="import sqlalchemy")
    result = project.run_apart(f"--bgcheck={mode}")
    assert_outcomes(result, **({"passed": 2, "failed": 1} if mode == "strict" else {"passed": 3}))
    assert codes(result) == ["BG201", "BG105"]
    assert unchecked(result) == [
        "bgcheck: not checked: BG401 to BG412 (it needs SQLAlchemy 2, and this is 1.4.54)"
    ]
    result.stdout.no_fnmatch_line("*internal error*")


@pytest.mark.parametrize("mode", ["report", "strict"])
def test_on_plain_starlette(project: Project, mode: str) -> None:
    project.write(
        absent=absent("fastapi", "sqlalchemy", "pydantic", "multipart", "python_multipart"),
        shop=STARLETTE,
        test_shop=STARLETTE_TESTS,
    )
    result = project.run_apart(f"--bgcheck={mode}", plugins=("absent",))
    assert_outcomes(result, **({"passed": 1, "failed": 2} if mode == "strict" else {"passed": 3}))
    assert codes(result) == ["BG201", "BG103"]
    assert unchecked(result) == [
        "bgcheck: not checked: BG401 to BG412 (SQLAlchemy was not imported)"
    ]
    result.stdout.no_fnmatch_line("*internal error*")
