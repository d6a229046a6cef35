"""A session without a framework pays next to nothing; the checks begin with Starlette."""

from __future__ import annotations

import pytest

COUNT = """
    import sys

    def test_modules():
        loaded = sorted(name for name in sys.modules if name.startswith("bgcheck"))
        assert len(loaded) <= 10, loaded
        assert "bgcheck.checks.session" not in loaded
        assert not {"fastapi", "starlette", "anyio", "sqlalchemy"} & set(sys.modules)
"""

LATE = """
    def test_late():
        from fastapi import BackgroundTasks, FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()

        def fails():
            raise ValueError("late")

        @app.post("/")
        async def create(tasks: BackgroundTasks):
            tasks.add_task(fails)

        TestClient(app, raise_server_exceptions=False).post("/")

    def test_after():
        pass
"""

ALONE = ["-p", "no:anyio", "-p", "no:asyncio", "-p", "no:randomly", "-p", "no:hypothesispytest"]


def test_a_session_without_a_framework(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(COUNT)
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)


def test_a_framework_that_a_test_imports(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LATE)
    result = pytester.runpytest_subprocess("-W", "ignore", "-p", "no:randomly")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*BG201 task-failed: fails failed with ValueError, and the test did not expect it.",
            "*::test_late",
        ]
    )
