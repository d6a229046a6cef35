"""Findings silenced by comment and by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgcheck.checks.suppress import is_ignored_by_comment, is_ignored_by_path, relative_to
from bgcheck.recorder.record import Site


@pytest.mark.parametrize(
    ("line", "ignored"), [(1, False), (2, True), (3, True), (4, True), (5, False)]
)
def test_comment_counts_for_its_statement(tmp_path: Path, line: int, ignored: bool) -> None:
    file = tmp_path / "app.py"
    file.write_text("a = 1\ntasks.add(\n    f,\n)  # bgcheck: ignore[BG3]\nb = 2\n")
    assert is_ignored_by_comment("BG301", Site(str(file), line, "f")) is ignored
    assert not is_ignored_by_comment("BG201", Site(str(file), line, "f"))


def test_comment_in_what_is_no_python(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<% add() %> # bgcheck: ignore\n")
    assert is_ignored_by_comment("BG301", Site(str(file), 1, "f"))


def test_no_site_and_no_file() -> None:
    assert not is_ignored_by_comment("BG301", None)
    assert not is_ignored_by_comment("BG301", Site("/nowhere/app.py", 3, "f"))


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [("app/*.py", True), ("app", True), ("app/", True), ("ap", False), ("*", True), ("x/*", False)],
)
def test_path(pattern: str, ignored: bool) -> None:
    assert is_ignored_by_path("BG301", ["app/main.py"], {pattern: ("BG3",)}) is ignored
    assert not is_ignored_by_path("BG201", ["app/main.py"], {pattern: ("BG3",)})


def test_relative_to(tmp_path: Path) -> None:
    assert relative_to(str(tmp_path / "a" / "b.py"), str(tmp_path)) == "a/b.py"
    assert relative_to("/elsewhere/b.py", str(tmp_path)) == "/elsewhere/b.py"
