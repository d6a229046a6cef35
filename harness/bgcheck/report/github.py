"""Findings as annotations of GitHub Actions: workflow commands at the schedule site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bgcheck.report.messages import shown_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgcheck.report.findings import Line

_COMMANDS = {"error": "error", "warning": "warning", "opt-in": "notice"}


def workflow_commands(lines: Iterable[Line], root: Path) -> Iterator[str]:
    """Yield one workflow command for each finding.

    Args:
        lines: the findings.
        root: the rootdir; files are written relative to the workspace of the workflow.
    """
    base = Path(os.environ.get("GITHUB_WORKSPACE") or root)
    for line in lines:
        parts = {"title": f"{line['code']} {line['name']}"}
        site = line["site"]
        if site is not None:
            parts = {
                "file": _in_workspace(root / site["file"], base),
                "line": site["line"],
                **parts,
            }
        listed = ",".join(f"{key}={_property(str(value))}" for key, value in parts.items())
        text = f"{line['message']} {line['way_out']} ({shown_by(line)})"
        yield f"::{_COMMANDS[line['level']]} {listed}::{_data(text)}"


def _in_workspace(file: Path, base: Path) -> str:
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else str(file)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
