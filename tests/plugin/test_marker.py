"""`@pytest.mark.bgcheck(...)`: ignore, and what it refuses."""

from __future__ import annotations

import pytest
from checks_plugin_lab import Project, assert_outcomes, codes

TEST = """
import pytest
from fastapi.testclient import TestClient
from shop import app

{module}

@pytest.mark.bgcheck({mark})
def test_it():
    TestClient(app, raise_server_exceptions=False).post("/fails")

def test_other():
    TestClient(app, raise_server_exceptions=False).post("/twice")
"""


@pytest.mark.parametrize(
    ("mark", "module", "found"),
    [
        ("ignore=['BG201']", "", ["BG105"]),
        ("ignore='BG2'", "", ["BG105"]),
        ("ignore=('BG1',)", "", ["BG201", "BG105"]),
        ("ignore=[]", "", ["BG201", "BG105"]),
        ("", "", ["BG201", "BG105"]),
        ("ignore=['BG201']", "pytestmark = pytest.mark.bgcheck(ignore=['BG1'])", []),
        ("mode='inline'", "pytestmark = pytest.mark.bgcheck(ignore=['ALL'])", []),
    ],
)
def test_ignore(project: Project, mark: str, module: str, found: list[str]) -> None:
    project.write(test_shop=TEST.format(mark=mark, module=module))
    assert codes(project.run("--strict-markers")) == found


def test_ignored_finding_does_not_fail_strict(project: Project) -> None:
    project.write(test_shop=TEST.format(mark="ignore=['BG201']", module=""))
    assert_outcomes(project.run("--bgcheck=strict"), passed=2)


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ("ingore=['BG201']", "it got an unexpected keyword argument 'ingore'*"),
        ("'BG201'", "it takes 0 positional arguments but 1 was given"),
        ("ignore=['BG999']", "ignore: 'BG999' matches no check. Valid are: BG101, *"),
        ("ignore=3", "ignore: 3 is no list of codes. Write it as *"),
        ("mode='fast'", "mode='fast' is wrong. Valid are: 'inline', 'hold', 'drop'"),
        ("clock='slow'", "clock='slow' is wrong. Valid are: 'real', 'virtual'"),
    ],
)
@pytest.mark.parametrize("mode", ["report", "strict", "off"])
def test_wrong_marker(project: Project, mark: str, reason: str, mode: str) -> None:
    project.write(test_shop=TEST.format(mark=mark, module=""))
    result = project.run(f"--bgcheck={mode}")
    assert_outcomes(result, passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            f"*/test_shop.py:7: @pytest.mark.bgcheck of test_it: {reason}.",
            "It takes mode, clock and ignore, by name.",
        ]
    )
