"""`bgcheck explain` and `bgcheck checks`."""

from __future__ import annotations

import pytest

from bgcheck.checks.registry import all_checks
from bgcheck.cli import main


def test_explain_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "bg301"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "# BG301 changed-after-schedule\n\nDefault: error: on; fails its test in strict mode\n"
    )
    for heading in ("## Why it matters", "## Faulty", "## Corrected", "## Versions"):
        assert heading in out


def test_explain_several(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "BG101", "BG105"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n## Why it matters\n") == 2
    assert "Default: warning: on; fails its test in strict mode only if selected" in out


def test_explain_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", "BG999"])
    assert caught.value.code == 3
    assert "error: there is no check BG999; the checks are: BG101, BG102" in capsys.readouterr().err


def test_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [check.code for check in all_checks()]
    assert lines[0].split()[:3] == ["BG101", "wrong-arguments", "error"]
    assert lines[0].endswith("The scheduled arguments are no call of the task's function.")
