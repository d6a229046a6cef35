"""`bgcheck fixtures`: the fixtures that the plugin offers, as pytest itself describes them."""

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Any

from .errors import UsageError

_SECTION = " fixtures defined from "


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "fixtures",
        help="list the fixtures of the plugin with their documentation",
        description="List the fixtures that the pytest plugin offers, with their documentation.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the fixtures and return the exit code."""
    print(described())  # noqa: T201
    return 0


def described() -> str:
    """Return what `pytest --fixtures` says about the fixtures of bgcheck.

    Raises UsageError where pytest itself fails.
    """
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pytest", "--fixtures", "-v", "-p", "bgcheck.plugin"]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", "--color=no", "-c", os.devnull, empty],
            cwd=empty,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    sections = _sections(done.stdout)
    own = [text for title, text in sections.items() if title.startswith("bgcheck")]
    if not own:
        raise UsageError(f"pytest did not list the fixtures:\n{done.stdout}{done.stderr}")
    return "\n".join(own).strip()


def _sections(output: str) -> dict[str, str]:
    """Split pytest's output by the module that defines the fixtures."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if _SECTION in line:
            lines = sections.setdefault(line.partition(_SECTION)[2].strip(" -"), [])
        elif line.startswith("==="):
            lines = []
        else:
            lines.append(line)
    return {title: "\n".join(text) for title, text in sections.items()}
