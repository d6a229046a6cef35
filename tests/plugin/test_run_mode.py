"""The marker's `mode` and `clock`, `--bgcheck-mode`, and the ini value `bgcheck_mode`."""

from __future__ import annotations

import pytest

APP = """
    import pytest
    from fastapi import BackgroundTasks, FastAPI
    from fastapi.testclient import TestClient

    ran = []
    app = FastAPI()

    @app.post("/")
    async def endpoint(tasks: BackgroundTasks):
        tasks.add_task(ran.append, 1)

    @pytest.fixture(autouse=True)
    def fresh():
        ran.clear()
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest("")
    return pytester


def test_a_marker_holds_and_its_gate_is_found(project: pytest.Pytester) -> None:
    project.makepyfile(
        APP
        + """
    @pytest.mark.bgcheck(mode="hold")
    def test_held(bgtasks):
        with bgtasks.client(app) as client:
            client.post("/")
            assert ran == []
            bgtasks.gate.drain()
            assert ran == [1]

    @pytest.mark.bgcheck(mode="hold")
    class TestClass:
        @pytest.mark.bgcheck(mode="inline")
        def test_the_nearest_marker_wins(self, bgtasks):
            TestClient(app).post("/")
            assert ran == [1]
    """
    )
    project.runpytest_subprocess("-W", "ignore").assert_outcomes(passed=2)


def test_a_marker_drops_without_the_fixture(project: pytest.Pytester) -> None:
    project.makepyfile(
        APP
        + """
    @pytest.mark.bgcheck(mode="drop")
    def test_dropped():
        TestClient(app).post("/")
        assert ran == []

    def test_inline():
        TestClient(app).post("/")
        assert ran == [1]
    """
    )
    project.runpytest_subprocess("-W", "ignore").assert_outcomes(passed=2)


@pytest.mark.parametrize("way", ["option", "ini"])
def test_the_mode_of_a_whole_run(way: str, project: pytest.Pytester) -> None:
    project.makepyfile(
        APP
        + """
    def test_dropped():
        TestClient(app).post("/")
        assert ran == []
    """
    )
    arguments = ["--bgcheck-mode=drop"] if way == "option" else []
    if way == "ini":
        project.makeini("[pytest]\nbgcheck_mode = drop\n")
    project.runpytest_subprocess("-W", "ignore", *arguments).assert_outcomes(passed=1)


def test_a_marker_gives_virtual_time(project: pytest.Pytester) -> None:
    project.makepyfile(
        APP
        + """
    import asyncio

    async def hour():
        await asyncio.sleep(3600)

    @app.post("/hour")
    async def schedule(tasks: BackgroundTasks):
        tasks.add_task(hour)

    @pytest.mark.bgcheck(clock="virtual")
    def test_an_hour(bgtasks):
        with bgtasks.client(app) as client:
            client.post("/hour")
            client.drain()
        assert bgtasks.clock.now == 3600
    """
    )
    project.runpytest_subprocess("-W", "ignore").assert_outcomes(passed=1)


def test_clocks_share_a_sleep_that_is_put_back_after_the_session(
    project: pytest.Pytester,
) -> None:
    project.makeconftest(
        """
    import time
    from time import sleep

    real = (sleep,)  # what is in a tuple is left alone
    kept = []

    def pytest_runtest_teardown():
        kept.append(sleep is not real[0])

    def pytest_unconfigure():
        print("kept:", kept, "put back:", sleep is time.sleep is real[0])
    """
    )
    project.makepyfile(
        APP
        + """
    from time import sleep

    @app.post("/nap")
    def schedule(tasks: BackgroundTasks):
        tasks.add_task(sleep, 3600)

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_nap(bgtasks, number):
        with bgtasks.virtual_time() as clock, bgtasks.client(app) as client:
            client.post("/nap")
            client.drain()
        assert clock.now == 3600
        sleep(0)
    """
    )
    result = project.runpytest_subprocess("-W", "ignore", "-s", "--bgcheck=off")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*kept: [[]True, True[]] put back: True"])


def test_a_mode_that_does_not_exist_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makepyfile("def test(): pass")
    result = project.runpytest_subprocess("--bgcheck-mode=halt")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: bgcheck_mode: 'halt' is no mode. Modes are: inline, hold, drop."]
    )


def test_a_task_left_at_the_gate_is_reported(project: pytest.Pytester) -> None:
    project.makepyfile(
        APP
        + """
    @pytest.mark.bgcheck(mode="hold")
    def test_left(bgtasks):
        bgtasks.client(app).post("/")
    """
    )
    result = project.runpytest_subprocess("-W", "ignore")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "bgcheck: *::test_left: list.append was still held at the end of the test; "
            "its outcome was succeeded"
        ]
    )


def test_a_late_error_is_in_the_report_of_a_failed_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        APP
        + """
    from fastapi import Depends

    async def resource():
        yield
        raise ValueError("late")

    async def fails():
        raise KeyError("task")

    @app.post("/late")
    async def late(tasks: BackgroundTasks):
        tasks.add_task(fails)

    def test_late(bgtasks):
        with bgtasks.client(app) as client:
            client.post("/late")
        assert ran == [1]
    """
    )
    result = project.runpytest_subprocess("-W", "ignore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["POST /late failed after its response: KeyError('task')"])
