"""BG514: temporary files and directories that a task leaves behind."""

from __future__ import annotations

from textwrap import indent

import pytest
from checks_lab import Lab, endpoint
from loop_clients import EVERYWHERE

HELPER = """
import os, pathlib, shutil, tempfile
from tempfile import NamedTemporaryFile
kept = []
tempfile.tempdir = os.getcwd()

def remove(path):
    os.remove(path)
def look(path):
    assert os.path.exists(path)
def tidy(paths):
    for path in paths["left"]:
        os.remove(path)
"""
FAULTY = {
    "mkstemp": "number, path = tempfile.mkstemp(); os.close(number)",
    "named": "with NamedTemporaryFile(delete=False) as file: file.write(b'x')",
    "directory": "tempfile.mkdtemp()",
    "bytes": "number, path = tempfile.mkstemp(prefix=b'x'); os.close(number)",
    "another is removed": "tempfile.mkdtemp()\nos.rmdir(tempfile.mkdtemp())",
}
SILENT = {
    "removed": "number, path = tempfile.mkstemp(); os.close(number); os.remove(path)",
    "named in with": "with NamedTemporaryFile() as file: file.write(b'x')",
    "directory in with": "with tempfile.TemporaryDirectory() as path: os.mkdir(path + '/x')",
    "moved": "number, path = tempfile.mkstemp(); os.close(number); os.replace(path, 'result')",
    "name kept": "number, path = tempfile.mkstemp(); os.close(number); kept.append(path)",
    "a library makes it": "shutil.copyfile(__file__, 'copy')",
    "handed to another task": (
        "number, path = tempfile.mkstemp(); os.close(number); handed.add_task(remove, path)"
    ),
    "handed over as an equal name": (
        "number, path = tempfile.mkstemp(); os.close(number)\n"
        "handed.add_task(look, ''.join(list(path)))"
    ),
    "handed over in a dict": (
        "number, path = tempfile.mkstemp(); os.close(number)\n"
        "handed.add_task(tidy, {'left': [pathlib.Path(path)]})"
    ),
}


def task(body: str, kind: str = "def") -> str:
    work = f"{HELPER}\n{kind} work(handed):\n{indent(body, '    ')}\n"
    return work + endpoint("tasks.add_task(work, tasks)")


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_found(lab: Lab, body: str, kind: str) -> None:
    (finding,) = lab.run(task(body, kind), "POST /orders", select="BG514").findings
    assert finding["code"] == "BG514"
    assert dict(finding["evidence"])["made"].endswith(" in work")


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    outcome = lab.run(task(body), "POST /orders", select="BG514")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_found_when_the_task_fails_half_way(lab: Lab) -> None:
    body = "number, path = tempfile.mkstemp(); os.close(number)\nraise ValueError(path)"
    app = task(body.replace("ValueError(path)", "ValueError('half')"))
    (finding,) = lab.run(app, "POST /orders", select="BG514").findings
    assert finding["message"] == "work left a temporary file behind."


def test_silent_for_an_endpoint(lab: Lab) -> None:
    app = HELPER + endpoint("tempfile.mkdtemp()\ntasks.add_task(kept.append, 1)")
    outcome = lab.run(app, "POST /orders", select="BG514")
    assert outcome.findings == []


@pytest.mark.parametrize("test", EVERYWHERE)
def test_every_client_and_loop(lab: Lab, test: str) -> None:
    (finding,) = lab.run(task(FAULTY["directory"]), test=test, select="BG514").findings
    assert finding["message"] == "work left a temporary directory behind."
    assert lab.run(task(SILENT["removed"]), test=test, select="BG514").findings == []
