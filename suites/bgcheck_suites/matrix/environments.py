"""Virtual environments with wanted versions, made with uv; with venv and pip where it is absent."""

import os
import shutil
import subprocess
from pathlib import Path

from .interpreters import find_python
from .specs import Spec

# What some probes can use, wherever it can be installed; the others say that it is missing.
OPTIONAL = ("trio", "uvloop; sys_platform != 'win32'")
_KEPT_LINES = 3


class BuildError(Exception):
    """An environment that cannot be made; the message says why."""


def build(spec: Spec, directory: Path, wheel: Path) -> Path:
    """Make an environment, and return its interpreter.

    Raises BuildError where Python is missing, or the versions do not fit together.
    """
    base = find_python(spec.python)
    if base is None:
        raise BuildError(f"there is no Python {spec.python} on this machine")
    shutil.rmtree(directory, ignore_errors=True)
    uv = shutil.which("uv")
    python = directory / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = [f"bgcheck[suites] @ {wheel.resolve().as_uri()}", *spec.requirements(), *OPTIONAL]
    if uv:
        _run([uv, "venv", "-q", "--python", base, str(directory)])
        _run([uv, "pip", "install", "-q", "--python", str(python), *wanted])
    else:
        _run([base, "-m", "venv", str(directory)])
        _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted])
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise BuildError(" ".join(lines[-_KEPT_LINES:]) or f"{command[0]} ended in silence")
