"""A stack where nothing works gives one line, and not a failure for each probe."""

import json

from starlette.background import BackgroundTask

from bgcheck.cli import main
from bgcheck_suites import preconditions
from bgcheck_suites.preconditions import broken


def test_a_working_stack():
    assert broken() == ""


def test_tasks_that_never_run(monkeypatch):
    async def nothing(self):
        return None

    monkeypatch.setattr(BackgroundTask, "__call__", nothing)
    monkeypatch.setattr(preconditions, "LIMIT", 0.01)
    assert broken() == (
        "the task of a plain endpoint did not run within 0.01 s: nothing can be measured; look at "
        "the installed versions with `bgcheck --version`"
    )


def test_an_app_that_cannot_be_made(monkeypatch):
    def fail(*_, **__):
        raise TypeError("these versions do not fit together")

    monkeypatch.setattr("fastapi.FastAPI.__init__", fail)
    assert broken().startswith(
        "a plain app raises TypeError: these versions do not fit together: nothing can be measured"
    )


BROKEN = """
import fastapi

def fail(*_, **__):
    raise TypeError("these versions do not fit together")

fastapi.FastAPI.__init__ = fail
"""


def test_conform_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    report = tmp_path / "report"
    assert main(["conform", "--select", "BGF-ORDER-0", "--report-dir", str(report)]) == 2
    shown = " ".join(capsys.readouterr().out.split())
    assert "Inconclusive: a plain app raises TypeError: these versions do not fit" in shown
    assert "fail " not in shown.lower().replace("failed", "")
    lines = (report / "results.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["type"] for line in lines]
    assert "requirement" not in kinds
