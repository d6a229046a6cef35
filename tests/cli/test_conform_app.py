"""`bgcheck conform --app ... --request ...`: the contract of one endpoint, without a class."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgcheck.cli import main

APP = """
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


def store(number: int) -> None:
    {body}


@app.post("/items/{{number}}")
def create(number: int, tasks: BackgroundTasks) -> None:
    tasks.add_task(store, number)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    sys.modules.pop("gated_shop", None)


def conform(project: Path, body: str, *options: str) -> int:
    (project / "gated_shop.py").write_text(APP.format(body=body), encoding="utf-8")
    command = ["conform", "--app", "gated_shop:app", "--request", "POST /items/1"]
    return main([*command, *options])


def test_an_endpoint_that_holds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(project, "print(number)") == 0
    assert "Conforms: MUST 9/9, SHOULD 2/2" in capsys.readouterr().out
    assert (project / "bgcheck-report" / "index.html").exists()


def test_an_endpoint_that_does_not(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "try:\n        print(number)\n    except Exception: pass"
    assert conform(project, body, "--select", "BGC-ERR") == 1
    assert "Does not conform: BGC-ERR-01: fail" in capsys.readouterr().out


LISTED = """
[[BGC-ERR-01]]
when = "fastapi >= 0.100"
reason = "Nobody reads the log."
link = "https://example.org/issues/7"
request = "POST /items/1"
"""
SILENT = "try:\n        print(number)\n    except Exception: pass"


def test_what_is_known_to_fail(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "known.toml").write_text(LISTED, encoding="utf-8")
    options = ("--select", "BGC-ERR", "--expectations", "known.toml")
    assert conform(project, SILENT, *options) == 0
    assert "Known: Nobody reads the log. (fastapi >= 0.100)" in " ".join(
        (project / "bgcheck-report" / "results.jsonl").read_text("utf-8").split()
    )


def test_what_is_known_to_fail_and_holds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "expectations.toml").write_text(LISTED, encoding="utf-8")
    assert conform(project, "print(number)", "--select", "BGC-ERR") == 1
    assert "Does not conform: BGC-ERR-01: unexpected-pass" in capsys.readouterr().out


def test_what_is_known_of_another_endpoint(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = LISTED.replace("items/1", "items/2")
    (project / "expectations.toml").write_text(other, encoding="utf-8")
    assert conform(project, SILENT, "--select", "BGC-ERR") == 1
    assert "Does not conform: BGC-ERR-01: fail" in capsys.readouterr().out
