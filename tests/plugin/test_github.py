"""Annotations where GitHub Actions runs the tests."""

from __future__ import annotations

import pytest
from checks_plugin_lab import Project


def annotations(project: Project) -> list[str]:
    """Run and return the workflow commands."""
    return [line for line in project.run().outlines if line.startswith("::")]


def test_annotations(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    failed, twice = annotations(project)
    folder = project.path.name
    assert failed == (
        f"::error file={folder}/shop.py,line=15,title=BG201 task-failed::boom failed with "
        "ValueError, and the test did not expect it. Mend the task; or expect the error: "
        "pytest.raises around the request, bgtasks.fail, or an assertion on task.error. "
        "(test_shop.py::test_fails)"
    )
    assert twice.startswith(f"::warning file={folder}/shop.py,line=21,title=BG105")


def test_nowhere_else(project: Project) -> None:
    assert annotations(project) == []


def test_special_characters(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.write(
        test_shop="""
        import pytest
        from fastapi.testclient import TestClient
        from shop import app
        @pytest.mark.parametrize("text", ["100%"])
        def test_it(text):
            TestClient(app, raise_server_exceptions=False).post("/fails")
        """
    )
    (command,) = annotations(project)
    assert command.endswith("(test_shop.py::test_it[100%25])")
