"""Findings that are silenced: by path, and by a comment on the schedule line."""

from __future__ import annotations

import pytest
from checks_plugin_lab import APP, Project, codes


@pytest.mark.parametrize(
    ("pattern", "listed", "found"),
    [
        ("shop.py", ["BG201"], ["BG105"]),
        ("shop.py", ["BG"], []),
        ("*.py", ["BG1"], ["BG201"]),
        ("test_shop.py", ["BG201"], ["BG105"]),
        ("other.py", ["ALL"], ["BG201", "BG105"]),
        ("shop", ["ALL"], ["BG201", "BG105"]),
    ],
)
def test_path(project: Project, pattern: str, listed: list[str], found: list[str]) -> None:
    project.configure(f"[tool.bgcheck.per-path-ignores]\n{pattern!r} = {listed}")
    assert codes(project.run()) == found


def test_folder(project: Project) -> None:
    (project.path / "legacy").mkdir()
    (project.path / "shop.py").rename(project.path / "legacy" / "shop.py")
    project.write(conftest="import sys\nsys.path.insert(0, 'legacy')\n")
    assert codes(project.run()) == ["BG201", "BG105"]
    project.configure('[tool.bgcheck.per-path-ignores]\n"legacy" = ["BG105"]\n')
    assert codes(project.run()) == ["BG201"]
    project.configure('[tool.bgcheck.per-path-ignores]\n"legacy/**" = ["BG201"]\n')
    assert codes(project.run()) == ["BG105"]


def test_ini_lines(project: Project) -> None:
    (project.path / "pytest.ini").write_text(
        "[pytest]\nbgcheck_per_path_ignores =\n    shop.py: BG105 BG3\n    test_*.py: BG202\n"
    )
    assert codes(project.run()) == ["BG201"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.bgcheck]\nper-path-ignores = "shop.py"', "*is no table. Write patterns with*"),
        ('[tool.bgcheck.per-path-ignores]\n"a" = ["BG999"]', "*, 'a': 'BG999' matches no check*"),
        ('[tool.pytest.ini_options]\nbgcheck_per_path_ignores = ["shop.py BG1"]',
         "*'shop.py BG1' has no colon. Write `pattern: BG1, BG301`.*"),
    ],
)  # fmt: skip
def test_wrong_path_ignores(project: Project, text: str, message: str) -> None:
    project.configure(text)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


@pytest.mark.parametrize(
    ("comment", "found"),
    [
        ("# bgcheck: ignore[BG201]", ["BG105"]),
        ("# bgcheck: ignore[BG2]", ["BG105"]),
        ("# bgcheck: ignore[BG301, BG201]", ["BG105"]),
        ("# bgcheck: ignore", ["BG105"]),
        ("#bgcheck:ignore[BG201] on purpose", ["BG105"]),
        ("# noqa: F401  # bgcheck: ignore[BG201]", ["BG105"]),
        ("# bgcheck: ignore[BG105]", ["BG201", "BG105"]),
        ("# bgcheck: ignored", ["BG201", "BG105"]),
        ("# bgcheck ignore[BG201]", ["BG201", "BG105"]),
        ("# bgcheck: ignore[]", ["BG201", "BG105"]),
    ],
)
def test_comment(project: Project, comment: str, found: list[str]) -> None:
    project.write(shop=APP.replace("add_task(boom)", f"add_task(boom)  {comment}"))
    assert codes(project.run()) == found


def test_comment_on_any_line_of_the_statement(project: Project) -> None:
    call = "add_task(  # why\n        boom,\n    )  # bgcheck: ignore[BG201]"
    project.write(shop=APP.replace("add_task(boom)", call))
    assert codes(project.run()) == ["BG105"]


def test_comment_on_another_statement(project: Project) -> None:
    app = APP.replace("def fails(tasks: BackgroundTasks):", "def fails(tasks: BackgroundTasks):"
                      "  # bgcheck: ignore[BG201]")  # fmt: skip
    project.write(shop=app)
    assert codes(project.run()) == ["BG201", "BG105"]


def test_silenced_findings_do_not_fail_strict(project: Project) -> None:
    project.write(shop=APP.replace("add_task(boom)", "add_task(boom)  # bgcheck: ignore[BG201]"))
    assert project.run("--bgcheck=strict").ret == 0
