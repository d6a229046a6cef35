"""A small project with planted faults, and sessions of pytest on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import dedent

import fastapi.testclient  # noqa: F401 - the inner sessions find it imported, and are quick
import pytest

APP = """
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


def send(to, *more): ...


def boom():
    raise ValueError("no stock")


@app.post("/fails")
async def fails(tasks: BackgroundTasks):
    tasks.add_task(boom)


@app.post("/twice")
async def twice(tasks: BackgroundTasks):
    tasks.add_task(send, "a")
    tasks.add_task(send, "a")


@app.post("/fine")
async def fine(tasks: BackgroundTasks):
    tasks.add_task(send, "a")
"""

TESTS = """
import pytest
from fastapi.testclient import TestClient
from shop import app

client = TestClient(app, raise_server_exceptions=False)


def test_fails():
    assert client.post("/fails").status_code == 200


def test_twice():
    client.post("/twice")


def test_fine():
    client.post("/fine")
"""

FAILS_LINE, TWICE_LINE = 15, 21
"""The schedule lines in the app."""


class Project:
    """A project in a directory of its own."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.path = pytester.path
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
        monkeypatch.syspath_prepend(pytester.path)
        self.write(shop=APP, test_shop=TESTS)

    def write(self, **sources: str) -> None:
        """Write Python modules."""
        self.pytester.makepyfile(**{name: dedent(source) for name, source in sources.items()})

    def configure(self, text: str) -> None:
        """Write the pyproject.toml."""
        (self.path / "pyproject.toml").write_text(dedent(text))

    def run(self, *options: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        """Run the tests in this process."""
        loaded = [part for name in ("bgcheck.plugin", *plugins) for part in ("-p", name)]
        return self.pytester.runpytest_inprocess(
            *loaded, "-p", "no:cacheprovider", "-W", "ignore", *options
        )

    def run_apart(self, *options: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        """Run the tests in a process of their own."""
        loaded = [part for name in ("bgcheck.plugin", *plugins) for part in ("-p", name)]
        return self.pytester.runpytest_subprocess(
            *loaded, "-p", "no:cacheprovider", "-W", "ignore", *options
        )


def codes(result: pytest.RunResult) -> list[str]:
    """Return the codes in the terminal summary, in order."""
    words = (line.split() for line in result.outlines if ": BG" in line)
    return [word for line in words for word in line[1:2] if word.startswith("BG")]


def summary(result: pytest.RunResult) -> list[str]:
    """Return the summary of bgcheck, without its ruler."""
    lines = iter(result.outlines)
    for line in lines:
        if line.startswith("===") and " bgcheck: " in line:
            break
    found = []
    for line in lines:
        if line.startswith(("===", "FAILED", "ERROR")) or re.search(r"\d passed|\d failed", line):
            break
        if line and not line.startswith("bgcheck: not checked: "):
            found.append(line)
    return found


def assert_outcomes(result: pytest.RunResult, **expected: int) -> None:
    """Assert the counts of outcomes."""
    __tracebackhide__ = True
    assert _counts(result.parseoutcomes()) == _counts(expected)


def _counts(outcomes: Mapping[str, int]) -> dict[str, int]:
    return {name.rstrip("s"): count for name, count in outcomes.items() if name != "warnings"}
