"""The page on adoption, step by step: its commands print what it says, its CI files are right."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "adopt-in-ten-minutes.md").read_text("utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n", re.DOTALL)
PROGRAMS = {"pytest": ["-m", "pytest"], "bgcheck": ["-m", "bgcheck"]}


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE) if found == language]


def commands() -> Iterator[list[str]]:
    """The words of each command that the page shows, in its CI files too."""
    for text in blocks("sh"):
        yield shlex.split(text)
    for text in blocks("yaml"):
        for line in text.splitlines():
            _, found, command = line.partition("python -m pytest")
            if found:
                yield ["pytest", *shlex.split(command)]


def run(pytester: pytest.Pytester, command: str) -> str:
    program, *words = shlex.split(command)
    result = pytester.run(sys.executable, *PROGRAMS[program], *words)
    return result.stdout.str()


def test_steps(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider -W ignore")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    printed, compared = "", 0
    for language, text in BLOCK.findall(PAGE):
        if language == "python":
            (pytester.path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
        elif language == "toml":
            (pytester.path / "pyproject.toml").write_text(text)
        elif language == "sh":
            printed = run(pytester, text)
        elif language == "text":
            assert _plain(text) in _plain(printed)
            compared += 1
    assert compared == len(blocks("sh")) == 6


def _plain(text: str) -> str:
    """Without blank lines, and without rulers: these depend on the width of the terminal."""
    lines = (line.strip(" =") if "==" in line else line for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def test_options_exist(pytester: pytest.Pytester) -> None:
    known = set(re.findall(r"--[\w-]+", run(pytester, "pytest --help"))) | {"--junitxml"}
    used = {word.partition("=")[0] for words in commands() for word in words[1:] if "--" in word}
    used |= set(re.findall(r"--bgcheck[\w-]*", PAGE))
    assert len(used) >= 5
    assert used <= known


def test_keys_exist() -> None:
    from bgcheck.config import KEYS

    (table,) = blocks("toml")
    keys = re.findall(r"^([\w-]+) =", table, re.MULTILINE)
    assert keys == ["mode", "baseline"]
    assert {*keys, "per-path-ignores", "coverage", "coverage-fail-under", "coverage-source"} <= {
        *KEYS
    }


def test_ci_files_are_yaml() -> None:
    yaml = pytest.importorskip("yaml", reason="no YAML parser is installed")
    github, gitlab = (yaml.safe_load(text) for text in blocks("yaml"))
    assert "--bgcheck=strict" in github["jobs"]["tests"]["steps"][3]["run"]
    assert github["jobs"]["tests"]["steps"][4]["with"] == {"sarif_file": "bgcheck.sarif"}
    assert "--junitxml=junit.xml" in gitlab["tests"]["script"][1]
    assert gitlab["tests"]["artifacts"]["reports"] == {"junit": "junit.xml"}
