"""`--bgcheck-select` and `--bgcheck-ignore`, their ini values and keys."""

from __future__ import annotations

import pytest
from checks_plugin_lab import Project, codes


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--bgcheck-select=BG201"], ["BG201"]),
        (["--bgcheck-select=BG1"], ["BG105"]),
        (["--bgcheck-select=BG1,BG2"], ["BG201", "BG105"]),
        (["--bgcheck-select=BG105", "--bgcheck-select=BG201"], ["BG201", "BG105"]),
        (["--bgcheck-select=ALL"], ["BG201", "BG105"]),
        (["--bgcheck-select=BG3"], []),
        (["--bgcheck-ignore=BG201"], ["BG105"]),
        (["--bgcheck-ignore=BG"], []),
        (["--bgcheck-ignore=ALL"], []),
        (["--bgcheck-ignore=BG2 BG1"], []),
        (["--bgcheck-select=BG2", "--bgcheck-ignore=BG201"], []),
        (["--bgcheck-select=BG201", "--bgcheck-ignore=BG2"], ["BG201"]),
        (["--bgcheck-select=BG201", "--bgcheck-ignore=BG201"], []),
        (["--bgcheck-select=DEFAULT,BG112"], ["BG201", "BG105"]),
    ],
)
def test_options(project: Project, options: list[str], found: list[str]) -> None:
    assert codes(project.run(*options)) == found


@pytest.mark.parametrize(
    "text",
    [
        '[tool.bgcheck]\nselect = ["BG105"]',
        '[tool.bgcheck]\nselect = "BG105"',
        '[tool.bgcheck]\nignore = ["BG2", "BG3"]',
        '[tool.pytest.ini_options]\nbgcheck_select = "BG105"',
        '[tool.pytest.ini_options]\nbgcheck_ignore = ["BG2"]',
    ],
)
def test_configured(project: Project, text: str) -> None:
    project.configure(text)
    assert codes(project.run()) == ["BG105"]


def test_option_replaces_the_configuration(project: Project) -> None:
    project.configure('[tool.bgcheck]\nselect = ["BG105"]')
    assert codes(project.run("--bgcheck-select=BG201")) == ["BG201"]


@pytest.mark.parametrize(
    ("options", "text", "place"),
    [
        (["--bgcheck-select=BG999"], "", "--bgcheck-select: 'BG999'"),
        (["--bgcheck-ignore=BG201,bg3"], "", "--bgcheck-ignore: 'bg3'"),
        ([], '[tool.bgcheck]\nselect = ["E501"]', "select in [[]tool.bgcheck]: 'E501'"),
        ([], '[tool.pytest.ini_options]\nbgcheck_ignore = "all"',
         "bgcheck_ignore in pyproject.toml: 'all'"),
    ],
)  # fmt: skip
def test_wrong_code(project: Project, options: list[str], text: str, place: str) -> None:
    project.configure(text)
    result = project.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: {place} matches no check. Valid are: BG101, BG102, *; ALL; DEFAULT."]
    )


@pytest.mark.parametrize("value", ["3", "[1]", "{ a = 1 }"])
def test_wrong_type(project: Project, value: str) -> None:
    project.configure(f"[tool.bgcheck]\nselect = {value}")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: select in [[]tool.bgcheck]: * Write it as *BG301*BG2*"])
