"""`--bgcheck-json`: header, findings, tasks and footer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checks_plugin_lab import FAILS_LINE, Project

from bgcheck import __version__


def lines_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read a file by line type; the first line is a header."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["type"] == "header"
    return {
        kind: [line for line in lines if line["type"] == kind]
        for kind in ("header", "finding", "task", "footer")
    }


def test_line_types(project: Project) -> None:
    project.run("--bgcheck-json=out/results.jsonl")
    lines = lines_of(project.path / "out" / "results.jsonl")
    (header,) = lines["header"]
    assert header["version"] == __version__
    assert "fastapi" in header["stack"]
    assert "--bgcheck-json=out/results.jsonl" in header["argv"]
    finding = lines["finding"][0]
    assert finding == finding | {
        "code": "BG201",
        "name": "task-failed",
        "level": "error",
        "site": {"file": "shop.py", "line": FAILS_LINE, "function": "fails"},
        "task": "boom()",
        "func": "boom",
        "request": {"method": "POST", "path": "/fails", "route": "/fails"},
        "test": "test_shop.py::test_fails",
        "tests": ["test_shop.py::test_fails"],
        "message": "boom failed with ValueError, and the test did not expect it.",
        "count": 1,
    }
    assert ["error", "ValueError: no stock"] in finding["evidence"]
    assert lines["task"][0] == {
        "type": "task",
        "func": "boom",
        "site": {"file": "shop.py", "line": FAILS_LINE, "function": "fails"},
        "outcome": "failed",
        "patterns": ["add-task", "async-endpoint", "def-task"],
        "asserted": False,
        "test": "test_shop.py::test_fails",
    }
    assert [task["func"] for task in lines["task"]] == ["boom", "send", "send", "send"]
    (footer,) = lines["footer"]
    assert footer["complete"] is True
    assert (footer["findings"], footer["tasks"]) == (2, 4)
    assert footer["levels"] == {"error": 1, "warning": 1}


def test_one_finding_for_one_place(project: Project) -> None:
    project.write(
        test_shop="""
        import pytest
        from fastapi.testclient import TestClient
        from shop import app
        @pytest.mark.parametrize("times", [1, 2])
        def test_it(times):
            for _ in range(times):
                TestClient(app, raise_server_exceptions=False).post("/fails")
        """
    )
    result = project.run("--bgcheck-json=r.jsonl")
    (finding,) = lines_of(project.path / "r.jsonl")["finding"]
    assert finding["count"] == 3
    assert finding["tests"] == ["test_shop.py::test_it[1]", "test_shop.py::test_it[2]"]
    result.stdout.fnmatch_lines(
        ["*BG201 task-failed*(3 times)", "  test       test_shop.py::test_it[[]1] and 1 more test"]
    )


def test_asserted(project: Project) -> None:
    project.write(
        test_shop="""
        from fastapi.testclient import TestClient
        from shop import app, send
        def test_it(bgtasks):
            TestClient(app).post("/fine")
            assert bgtasks.one(send)
        """
    )
    project.run("--bgcheck-json=r.jsonl")
    assert lines_of(project.path / "r.jsonl")["task"][0]["asserted"] is True


def test_no_findings_and_no_tests(project: Project) -> None:
    project.write(test_shop="")
    project.run("--bgcheck-json=r.jsonl")
    lines = lines_of(project.path / "r.jsonl")
    assert lines["finding"] == lines["task"] == []
    assert lines["footer"][0]["complete"] is True


def test_crash_leaves_what_was_known_and_no_footer(project: Project) -> None:
    project.write(
        test_shop="""
        import os
        from fastapi.testclient import TestClient
        from shop import app
        def test_fails():
            TestClient(app, raise_server_exceptions=False).post("/fails")
        def test_crash():
            os._exit(3)
        """
    )
    result = project.run_apart("--bgcheck-json=r.jsonl")
    assert result.ret == 3
    lines = lines_of(project.path / "r.jsonl")
    assert [finding["code"] for finding in lines["finding"]] == ["BG201"]
    assert [task["func"] for task in lines["task"]] == ["boom"]
    assert lines["footer"] == []


def test_file_outside_of_the_rootdir_is_absolute(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (project.path / "shop.py").rename(folder / "shop.py")
    monkeypatch.syspath_prepend(folder)
    project.run("--bgcheck-json=r.jsonl")
    finding = lines_of(project.path / "r.jsonl")["finding"][0]
    assert finding["site"]["file"] == str(folder / "shop.py")


def test_directory_is_refused(project: Project) -> None:
    (project.path / "out").mkdir()
    result = project.run("--bgcheck-json=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --bgcheck-json: out is not a regular file."])
