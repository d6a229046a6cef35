"""The page on upgrades: its commands print what it says, and it lists every pattern."""

import inspect
import re
import shlex
import sys
from pathlib import Path

from bgcheck.checks.patterns import patterns_of
from bgcheck.cli import main
from bgcheck.instrument.surroundings import patterns_around
from bgcheck.recorder import roles
from bgcheck_suites.answers.expectations import read_expectations
from bgcheck_suites.registry import registry

PAGE = (Path(__file__).parents[2] / "docs" / "upgrade.md").read_text("utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n", re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE) if found == language]


def test_the_commands_print_what_the_page_says(pytester, monkeypatch, capsys):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider -W ignore")
    for text in blocks("python"):
        pytester.path.joinpath(text.partition("\n")[0].removeprefix("# ")).write_text(text)
    tests, upgrade = map(shlex.split, blocks("sh"))
    assert pytester.run(sys.executable, "-m", *tests).ret == 0
    capsys.readouterr()
    assert main(upgrade[1:]) == 1
    printed = capsys.readouterr().out
    (shown,) = blocks("text")
    for part in shown.split("...\n"):
        assert part in printed


def test_every_pattern_is_listed():
    table = "".join(line for line in PAGE.splitlines() if line.startswith("| "))
    documented = "".join(map(str, map(inspect.getdoc, (patterns_of, patterns_around))))
    known = set(re.findall(r"`([a-z-]+)`", documented)) | {*roles._BY_CLASS.values(), roles.MAPPED}
    assert set(re.findall(r"`([a-z-]+)`", table)) == known


def test_the_expectations_are_such(tmp_path):
    file = tmp_path / "expectations.toml"
    file.write_text(*blocks("toml"))
    assert list(read_expectations(file, registry())) == ["BGF-MW-03"]
