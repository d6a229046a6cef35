"""`--bgcheck=off|report|strict`, its ini value and its key in `[tool.bgcheck]`."""

from __future__ import annotations

import pytest
from checks_plugin_lab import Project, assert_outcomes, codes, summary


def test_report_is_the_default(project: Project) -> None:
    result = project.run()
    assert result.ret == 0
    assert_outcomes(result, passed=3)
    assert summary(result) == [
        "shop.py:15: BG201 task-failed: boom failed with ValueError, and the test did not expect "
        "it.",
        "  test       test_shop.py::test_fails",
        "shop.py:21: BG105 scheduled-twice: send was scheduled twice in one request with the same "
        "arguments.",
        "  test       test_shop.py::test_twice",
        "evidence: pytest -v; more: bgcheck explain CODE",
    ]
    result.stdout.fnmatch_lines(["=* bgcheck: 2 findings (1 error, 1 warning) =*"])


def test_verbose_shows_the_evidence(project: Project) -> None:
    found = summary(project.run("-v", "-k", "fails"))
    assert found == [
        "shop.py:15: BG201 task-failed: boom failed with ValueError, and the test did not expect "
        "it.",
        "  test       test_shop.py::test_fails",
        "  task       boom()",
        "  scheduled  shop.py:15 in fails",
        "  request    POST /fails",
        "  error      ValueError: no stock",
        "  raised     shop.py:10 in boom",
        "  client saw 200",
        "  way out    Mend the task; or expect the error: pytest.raises around the request, "
        "bgtasks.fail,",
        "             or an assertion on task.error.",
        "  more       bgcheck explain BG201",
    ]


def test_off(project: Project) -> None:
    result = project.run("--bgcheck=off")
    assert_outcomes(result, passed=3)
    assert codes(result) == []
    result.stdout.no_fnmatch_line("*bgcheck: *")


def test_strict_fails_the_test_of_the_finding(project: Project) -> None:
    result = project.run("--bgcheck=strict")
    assert result.ret == 1
    assert_outcomes(result, passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "bgcheck: 1 finding in this test",
            "",
            "BG201 task-failed: boom failed with ValueError, and the test did not expect it.",
            "  task       boom()",
            "  scheduled  shop.py:15 in fails",
            "  request    POST /fails",
            "  error      ValueError: no stock",
            "  raised     shop.py:10 in boom",
            "  client saw 200",
            "  way out    Mend the task; or expect the error: pytest.raises around the request, "
            "bgtasks.fail,",
            "             or an assertion on task.error.",
            "  more       bgcheck explain BG201",
            "*FAILED test_shop.py::test_fails*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*watch.py*")


def test_strict_fails_by_a_warning_only_if_selected(project: Project) -> None:
    result = project.run("--bgcheck=strict", "--bgcheck-select=BG105", "-k", "twice")
    assert_outcomes(result, failed=1, deselected=2)


def test_test_that_fails_by_itself_keeps_its_failure(project: Project) -> None:
    project.write(
        test_shop="""
        from fastapi.testclient import TestClient
        from shop import app
        def test_it():
            TestClient(app, raise_server_exceptions=False).post("/fails")
            assert "mine" == "theirs"
        """
    )
    result = project.run("--bgcheck=strict")
    assert_outcomes(result, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError*"])
    assert codes(result) == ["BG201"]


def test_finding_of_a_fixture_fails_in_teardown(project: Project) -> None:
    project.write(
        test_shop="""
        import pytest
        from fastapi.testclient import TestClient
        from shop import app
        @pytest.fixture
        def late():
            yield
            TestClient(app, raise_server_exceptions=False).post("/fails")
        def test_it(late): ...
        """
    )
    result = project.run("--bgcheck=strict")
    assert_outcomes(result, passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "BG201 task-failed: *"])


def test_finding_of_a_setup_fails_the_test(project: Project) -> None:
    project.write(
        test_shop="""
        import pytest
        from fastapi.testclient import TestClient
        from shop import app
        @pytest.fixture
        def early():
            TestClient(app, raise_server_exceptions=False).post("/fails")
        def test_it(early): ...
        """
    )
    assert_outcomes(project.run("--bgcheck=strict"), failed=1)


def test_finding_outside_of_any_test_fails_the_session(project: Project) -> None:
    project.write(
        conftest="""
        import pytest
        from fastapi.testclient import TestClient
        from shop import app
        def pytest_sessionfinish():
            TestClient(app, raise_server_exceptions=False).post("/fails")
        pytest_sessionfinish = pytest.hookimpl(tryfirst=True)(pytest_sessionfinish)
        """,
        test_shop="def test_it(): ...",
    )
    result = project.run("--bgcheck=strict")
    assert_outcomes(result, passed=1)
    assert result.ret == 1
    assert summary(result)[1] == "  test       outside of any test"
    assert project.run("--bgcheck=report").ret == 0


def test_request_that_outlives_its_test_belongs_to_it(project: Project) -> None:
    project.write(
        test_shop="""
        import asyncio, threading
        import pytest
        from fastapi import BackgroundTasks
        from shop import app, boom
        go, entered = threading.Event(), threading.Event()

        @app.post("/slow")
        async def slow(tasks: BackgroundTasks):
            entered.set()
            await asyncio.to_thread(go.wait)
            tasks.add_task(boom)

        async def call():
            async def receive():
                return {"type": "http.request", "body": b""}
            async def send(message): ...
            scope = {"type": "http", "method": "POST", "path": "/slow", "headers": [],
                     "query_string": b"", "root_path": ""}
            await asyncio.gather(app(scope, receive, send), return_exceptions=True)

        thread = threading.Thread(target=lambda: asyncio.run(call()))

        def test_first():
            thread.start()
            entered.wait()

        def test_second():
            go.set()
            thread.join()
        """
    )
    result = project.run("--bgcheck=strict", "-p", "no:randomly")
    assert_outcomes(result, passed=2)
    assert result.ret == 1
    assert codes(result) == ["BG201"]
    assert summary(result)[1] == "  test       test_shop.py::test_first"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("pyproject.toml", '[tool.bgcheck]\nmode = "off"\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\nbgcheck = "off"\n'),
        ("pytest.ini", "[pytest]\nbgcheck = off\n"),
    ],
)
def test_configured(project: Project, where: str, text: str) -> None:
    (project.path / where).write_text(text)
    assert codes(project.run()) == []
    assert codes(project.run("--bgcheck=report")) == ["BG201", "BG105"]


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        (["--bgcheck=loud"], "", "ERROR: --bgcheck: 'loud' is no mode of the checks. "
         "Valid are: off, report, strict."),
        ([], '[tool.bgcheck]\nmode = "loud"', "ERROR: mode in [[]tool.bgcheck]: 'loud' is no mode "
         "of the checks. Valid are: off, report, strict."),
        ([], '[tool.pytest.ini_options]\nbgcheck = "loud"', "ERROR: bgcheck in pyproject.toml: "
         "'loud' is no mode of the checks. Valid are: off, report, strict."),
        ([], "[tool.bgcheck]\nmodus = 1", "ERROR: [[]tool.bgcheck] in pyproject.toml: unknown key "
         "'modus'. Valid are: *mode, select, ignore, per-path-ignores, baseline*."),
    ],
)  # fmt: skip
def test_wrong_mode(project: Project, options: list[str], text: str, message: str) -> None:
    project.configure(text)
    result = project.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_help_works_with_a_broken_configuration(project: Project) -> None:
    project.configure('[tool.bgcheck]\nmode = "loud"\nmodus = 1\n')
    result = project.run("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--bgcheck=MODE*"])
