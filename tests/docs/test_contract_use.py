"""The page of the contract: what it says of its use is so."""

import re
import shlex
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from bgcheck.cli import main
from bgcheck_suites import TaskContract
from bgcheck_suites.answers.expectations import read_expectations
from bgcheck_suites.endpoint.capabilities import Capabilities
from bgcheck_suites.registry import registry
from support.projects import INI

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text("utf-8")
HEAD = PAGE.partition("## The requirements")[0]
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n", re.DOTALL)
APP = """
from fastapi import BackgroundTasks, FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str = ""


def process_item(number: int) -> None:
    try:
        int("3")
    except Exception:
        pass


@app.post("/items/{number}")
def create(number: int, tasks: BackgroundTasks, item: Item = Item()) -> None:
    tasks.add_task(process_item, number)
"""


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(HEAD) if found == language]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeini(INI)
    pytester.mkpydir("myproject").joinpath("main.py").write_text(APP, "utf-8")
    monkeypatch.syspath_prepend(pytester.path)
    for name in ("myproject", "myproject.main"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return pytester


@pytest.mark.parametrize("number", [0, 1], ids=["class", "marker"])
def test_the_examples_gate(project: pytest.Pytester, number: int) -> None:
    project.makepyfile(test_gate=blocks("python")[number])
    result = project.runpytest_inprocess("-k", "ERR_01 or ERR-01 or ARG_01 or ARG-01")
    result.assert_outcomes(passed=1, failed=1)
    (message,) = blocks("text")
    said = re.sub(r"line \d+", "line 5", " ".join(result.stdout.str().split()))
    assert " ".join(message.split()) in said


def test_the_command(project: pytest.Pytester) -> None:
    (line,) = blocks("console")
    command = shlex.split(line.removeprefix("$ bgcheck "))
    assert main([*command, "--select", "BGC-ERR-01"]) == 1
    assert main([*command, "--select", "BGC-ARG-01"]) == 0


def test_the_expectations_are_such(tmp_path: Path) -> None:
    file = tmp_path / "expectations.toml"
    file.write_text(*blocks("toml"))
    ((id_, (entry,)),) = read_expectations(file, registry()).items()
    assert (id_, entry.request) == ("BGC-DB-01", "POST /items/1")


def rows_of(title: str) -> list[str]:
    table = HEAD.partition(f"| {title} |")[2].partition("\n\n")[0]
    return [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]


def test_every_attribute_is_listed() -> None:
    listed = set(re.findall(r"`(?:def )?(\w+)", "".join(rows_of("attribute or method"))))
    listed |= set(re.findall(r", `(\w+)", "".join(rows_of("attribute or method"))))
    public = {name for name in vars(TaskContract) if not name.startswith(("_", "test_"))}
    assert listed == public - {"app", "request", "subject", "pytestmark"}


def test_every_capability_is_listed() -> None:
    names = [one.name for one in fields(Capabilities)]
    assert [row.strip(" `") for row in rows_of("capability")] == names
