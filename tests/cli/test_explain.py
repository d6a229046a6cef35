"""`bgcheck explain` and `bgcheck checks`."""

from __future__ import annotations

import re
from pathlib import Path

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


def test_markdown_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--markdown", "BG101"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# The checks\n")
    assert "| [BG101 wrong-arguments](#bg101-wrong-arguments) | error | " in out
    headings = re.findall("^#+ .*", re.sub("```.*?```", "", out, flags=re.DOTALL), re.MULTILINE)
    assert headings == [
        "# The checks",
        "## BG101 wrong-arguments",
        "### Why it matters",
        "### Faulty",
        "### Corrected",
        "### Versions",
    ]


def test_the_page_in_the_documentation_is_up_to_date(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["explain", "--markdown"])
    page = Path(__file__).parents[2] / "docs" / "checks.md"
    written = capsys.readouterr().out
    assert page.read_text("utf-8") == written, "run: bgcheck explain --markdown > docs/checks.md"


def test_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [check.code for check in all_checks()]
    assert lines[0].split()[:3] == ["BG101", "wrong-arguments", "error"]
    assert lines[0].endswith("The scheduled arguments are no call of the task's function.")
