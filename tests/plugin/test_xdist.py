"""The checks under pytest-xdist: merged, complete, and nothing lost when a worker crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from checks_plugin_lab import Project, assert_outcomes, codes

TWO_FILES = """
import pytest
from fastapi.testclient import TestClient
from shop import app

@pytest.mark.parametrize("number", range(4))
def test_fails(number):
    TestClient(app, raise_server_exceptions=False).post("/fails")
"""


@pytest.fixture
def parallel(project: Project) -> Project:
    """A project with more tests, whose modules the workers find."""
    (project.path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    project.write(test_more=TWO_FILES)
    return project


def run(project: Project, *options: str) -> pytest.RunResult:
    """Run in two workers."""
    return project.run_apart("-n2", "--bgcheck-json=r.jsonl", *options, plugins=("xdist.plugin",))


def lines_of(project: Project, kind: str) -> list[dict[str, Any]]:
    """Read the lines of one type."""
    lines = map(json.loads, (project.path / "r.jsonl").read_text().splitlines())
    return [line for line in lines if line["type"] == kind]


def test_merged(parallel: Project) -> None:
    result = run(parallel)
    assert_outcomes(result, passed=7)
    assert codes(result) == ["BG201", "BG105"]
    failed = next(line for line in lines_of(parallel, "finding") if line["code"] == "BG201")
    assert failed["count"] == 5
    assert len(failed["tests"]) == 5
    assert len(lines_of(parallel, "task")) == 8
    (footer,) = lines_of(parallel, "footer")
    assert footer["complete"] is True
    assert len(footer["tests"]["ran"]) == 7


def test_strict(parallel: Project) -> None:
    result = run(parallel, "--bgcheck=strict")
    assert_outcomes(result, failed=5, passed=2)
    result.stdout.fnmatch_lines(["bgcheck: 1 finding in this test", "BG201 task-failed: *"])


def test_finding_outside_of_any_test(parallel: Project) -> None:
    parallel.write(
        conftest="""
        import pytest
        from fastapi.testclient import TestClient
        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish(session):
            if hasattr(session.config, "workerinput"):
                from shop import app
                TestClient(app, raise_server_exceptions=False).post("/fails")
        """,
        test_shop="def test_it(): ...",
        test_more="def test_more(): ...",
    )
    result = run(parallel, "--bgcheck=strict")
    assert_outcomes(result, passed=2)
    assert result.ret == 1
    assert codes(result) == ["BG201"]


def test_crash_of_a_worker(parallel: Project) -> None:
    parallel.write(
        test_more=TWO_FILES + "\n\ndef test_crash():\n    import os\n    os._exit(3)\n",
        test_shop="",
    )
    result = run(parallel, "-p", "no:randomly")
    assert result.ret == 1
    assert "BG201" in codes(result)
    (finding,) = lines_of(parallel, "finding")
    assert finding["count"] == 4
    (footer,) = lines_of(parallel, "footer")
    assert footer["complete"] is False


def test_baseline(parallel: Project) -> None:
    from bgcheck.report.baseline import write

    run(parallel)
    write(parallel.path / "known.json", lines_of(parallel, "finding"))
    assert run(parallel, "--bgcheck-baseline=known.json", "--bgcheck=strict").ret == 0
    app = parallel.path / "shop.py"
    app.write_text(app.read_text().replace("tasks.add_task(boom)", "..."))
    result = run(parallel, "--bgcheck-baseline=known.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["shop.py: BG201 of boom in fails is in the baseline and was *"])
    assert run(parallel, "--bgcheck-baseline=known.json", "-k", "fine").ret == 0
