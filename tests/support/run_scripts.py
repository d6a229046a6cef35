"""Run scripts, each in a fork of a process that has imported the framework: `run_scripts.py DIR`.

Prints a JSON object with, for each script, its last line on standard output (`not applicable` where
it leaves itself out) and its standard error where it failed.
"""

# ruff: noqa: T201

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import sqlalchemy.orm  # noqa: F401
import uvicorn  # noqa: F401
from fastapi.testclient import TestClient  # noqa: F401

LIMIT = 60


def main(directory: str) -> None:
    """Run all scripts of a directory."""
    found = {path.stem: run(path) for path in sorted(Path(directory).glob("*.py"))}
    print(json.dumps(found))


def run(path: Path) -> tuple[str, str]:
    """Return the last line of a script, and its errors where it failed."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            signal.alarm(LIMIT)
            os._exit(execute(path))
        status = os.waitpid(child, 0)[1]
        output.seek(0)
        errors.seek(0)
        lines = output.read().splitlines() or [""]
        return lines[-1], errors.read() if status else ""


def execute(path: Path) -> int:
    """Execute a script in this process, and return its exit status."""
    status = 0
    try:
        text = path.read_text(encoding="utf-8")
        exec(compile(text, str(path), "exec"), {"__name__": "__main__", "__file__": str(path)})
    except SystemExit as error:
        print(error)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    main(sys.argv[1])
