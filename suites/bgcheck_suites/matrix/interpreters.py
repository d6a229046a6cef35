"""Where the interpreters of this machine are."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
RUNNING = ".".join(map(str, sys.version_info[:2]))


def find_python(wanted: str) -> str | None:
    """Return the path of an interpreter that works, for `3.12` or a path; None where there is none.

    A shim on the PATH may stand for a version that is not selected, so each one is tried.
    """
    if wanted == RUNNING:
        return sys.executable
    candidates = [wanted] if not re.fullmatch(r"\d+\.\d+", wanted) else _candidates(wanted)
    return next((path for path in candidates if _works(path)), None)


def other_pythons() -> list[str]:
    """Return the supported Pythons of this machine beside the one that runs."""
    return [v for v in SUPPORTED if v != RUNNING and find_python(v) is not None]


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    for directory in os.get_exec_path():
        found = shutil.which(name, path=directory)
        if found:
            yield found
    root = os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"
    yield from map(str, sorted(Path(root).glob(f"versions/{version}.*/bin/{name}")))


def _works(path: str) -> bool:
    try:
        done = subprocess.run([path, "-c", "import venv"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
