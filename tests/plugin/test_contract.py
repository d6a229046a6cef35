"""The contract under pytest: the class, the marker, and the file of what is known to fail."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

from support.projects import INI

SHOP = """
    from fastapi import BackgroundTasks, FastAPI

    app = FastAPI()


    def silent(number: int) -> None:
        try:
            print(number)
        except Exception:
            pass


    def loud(number: int) -> None:
        print(number)


    @app.post("/silent/{number}")
    def create_silent(number: int, tasks: BackgroundTasks) -> None:
        tasks.add_task(silent, number)


    @app.post("/loud/{number}")
    def create_loud(number: int, tasks: BackgroundTasks) -> None:
        tasks.add_task(loud, number)
"""
CLASSES = """
    from bgcheck_suites import Expectation, TaskContract


    class TestSilent(TaskContract):
        app = "gated_shop:app"
        request = "POST /silent/1"
        {}


    class TestLoud(TaskContract):
        app = "gated_shop:app"
        request = "POST /loud/1"
"""
MARKED = """
    import pytest


    @pytest.mark.contract({}, app="gated_shop:app")
    def test_gate(): ...
"""
ENTRY = """
[[BGC-ERR-01]]
when = "fastapi >= 0.100"
reason = "Nobody reads the log."
link = "https://example.org/issues/7"
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeini(INI)
    pytester.makepyfile(gated_shop=SHOP)
    monkeypatch.syspath_prepend(pytester.path)
    return pytester


def run(project: pytest.Pytester, test: str, *options: str, k: str = "ERR_01") -> pytest.RunResult:
    project.makepyfile(test_gates=test)
    return project.runpytest_inprocess("-k", k, "-p", "no:randomly", "-p", "no:xdist", *options)


def listing(project: pytest.Pytester, text: str, name: str = "expectations.toml") -> None:
    (project.path / name).write_text(text, encoding="utf-8")


def test_without_a_file_the_requirement_fails(project: pytest.Pytester) -> None:
    result = run(project, CLASSES.format(""))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "BGC-ERR-01 (MUST): A failing task is visible: logged or recorded by the app, never "
            "silent.",
            "  Nobody is told when silent fails at line 8: print(number): the error leaves no "
            "trace. *",
        ]
    )


def test_the_file_says_for_one_endpoint_what_fails(project: pytest.Pytester) -> None:
    listing(project, ENTRY + 'request = "POST /silent/1"')
    result = run(project, CLASSES.format(""), "-rx")
    result.assert_outcomes(passed=1, xfailed=1)
    assert (
        "Known: Nobody reads the log. (fastapi >= 0.100) https://example.org/issues/7"
        in " ".join(result.stdout.str().split())
    )


def test_what_is_listed_and_holds_fails(project: pytest.Pytester) -> None:
    listing(project, ENTRY)
    result = run(project, CLASSES.format(""))
    result.assert_outcomes(failed=1, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "  It holds, but is listed as failing: Nobody reads the log. (fastapi >= 0.100) "
            "https://example.org/issues/7"
        ]
    )


def test_an_entry_for_other_versions_does_not_count(project: pytest.Pytester) -> None:
    old = Version(version("fastapi")) < Version("0.110")
    listing(project, ENTRY.replace(">= 0.100", ">= 0.115" if old else "< 0.101"))
    result = run(project, CLASSES.format(""))
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    "place",
    [
        ["--bgcheck-expectations=known.toml"],
        ["-o", "bgcheck_expectations=known.toml"],
        [],
    ],
    ids=["option", "ini", "pyproject"],
)
def test_the_file_has_any_name(project: pytest.Pytester, place: list[str]) -> None:
    listing(project, ENTRY, "known.toml")
    if not place:
        listing(project, '[tool.bgcheck]\nexpectations = "known.toml"\n', "pyproject.toml")
    result = run(project, MARKED.format("'POST /silent/1'"), *place, k="ERR-01")
    result.assert_outcomes(xfailed=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ENTRY.replace("ERR-01", "ERR-99"),
            "expectations.toml: BGC-ERR-99 is no requirement; there are BGC-ERR-0",
        ),
        (
            ENTRY.replace('link = "https://example.org/issues/7"\n', ""),
            "expectations.toml: BGC-ERR-01: 'link' is missing; each entry needs a condition, a "
            "reason and a link",
        ),
        (
            ENTRY.replace(">= 0.100", "< 0.1"),
            "expectations.toml: BGC-ERR-01: no known stack satisfies 'fastapi < 0.1': not this one",
        ),
        (
            ENTRY + 'request = "/silent"',
            "expectations.toml: BGC-ERR-01: '/silent' is no request: write a method and a path, "
            "such as 'POST /items/1'",
        ),
        (
            ENTRY + 'request = "POST /gone"',
            "expectations.toml: BGC-ERR-01: no test of the contract is about 'POST /gone'; there "
            "are 'POST /loud/1', 'POST /silent/1'. Correct the request, or delete the entry.",
        ),
    ],
    ids=["id", "link", "condition", "request", "endpoint"],
)
def test_a_file_that_cannot_be_used(project: pytest.Pytester, text: str, message: str) -> None:
    listing(project, text)
    result = run(project, CLASSES.format(""))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    result.assert_outcomes()


def test_a_file_that_is_not_there(project: pytest.Pytester) -> None:
    result = run(project, CLASSES.format(""), "--bgcheck-expectations=gone.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--bgcheck-expectations: */gone.toml is not there."])


def test_an_entry_for_an_endpoint_of_another_file_is_left_alone(project: pytest.Pytester) -> None:
    listing(project, ENTRY + 'request = "POST /gone"')
    result = run(project, CLASSES.format(""), "test_gates.py")
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (
            "{'BGC-ERR-1': 'why'}",
            "expected_failures: BGC-ERR-1 is no requirement of the contract; ",
        ),
        ("{'BGC-ERR-01': ' '}", "expected_failures: BGC-ERR-01: the reason is missing"),
        (
            "{'BGC-ERR-01': Expectation(when='fastapi<0', reason='why')}",
            "expected_failures: BGC-ERR-01: no known stack satisfies 'fastapi<0': not this one",
        ),
        (
            "{'BGC-ERR-01': Expectation(when='fastapi from 1', reason='why')}",
            "expected_failures: BGC-ERR-01: cannot read the condition 'fastapi from 1': ",
        ),
    ],
)
def test_a_class_lists_what_cannot_be_used(
    project: pytest.Pytester, known: str, message: str
) -> None:
    result = run(project, CLASSES.format(f"expected_failures = {known}"), k="Silent and ERR_01")
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()


def test_a_marker_takes_what_a_class_does(project: pytest.Pytester) -> None:
    given = (
        "'POST /silent/1', invalid=['POST /silent/x', {'line': 'POST /nowhere'}], "
        "expected_failures={'BGC-ERR-01': 'Nobody reads the log.'}, tasks=['silent'], "
        "capabilities={'retries': False, 'raises_failures': True}"
    )
    result = run(project, MARKED.format(given), k="ERR-01 or VAL-01 or capabilities")
    result.assert_outcomes(passed=1, xfailed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["The capability raises_failures is declared True, and was probed False."]
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("task='x'", "@pytest.mark.contract: give it one request, such as 'POST /items/1'"),
        ("'POST'", "@pytest.mark.contract: 'POST' is no request: write a method and a path, "),
        (
            "'POST /loud/1', task='x'",
            "@pytest.mark.contract: 'task' is no option; there are tasks, invalid, probe, prepare, "
            "is_recorded, slow_tasks, ignore_engines, timeout, seeds",
        ),
        (
            "'POST /loud/1', invalid=[{'jsn': 1}]",
            "@pytest.mark.contract: invalid: {'jsn': 1} is no request; its keys are line, json, "
            "data, files, headers",
        ),
    ],
)
def test_a_marker_that_cannot_be_used(project: pytest.Pytester, given: str, message: str) -> None:
    result = run(project, MARKED.format(given), k="ERR-01")
    result.assert_outcomes(failed=1)
    assert message in " ".join(result.stdout.str().split())


STYLES = {
    "plain": "def test_gate(): DONE.append(1)",
    "asyncio": "@pytest.mark.asyncio\n    async def test_gate(): DONE.append(1)",
    "anyio": "@pytest.mark.anyio\n    async def test_gate(): DONE.append(1)",
}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_test_is_verified_first(project: pytest.Pytester, style: str) -> None:
    test = f"""
    import pytest

    DONE = []


    @pytest.fixture
    def anyio_backend():
        return "asyncio"


    @pytest.mark.contract("POST /silent/1", app="gated_shop:app")
    {STYLES[style]}


    def test_end():
        assert len(DONE) == 1
    """
    result = run(project, test, "-rA", k="ERR-01 or ERR-03 or test_end")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.no_fnmatch_line("*.py:*: BG204 *")
