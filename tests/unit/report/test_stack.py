"""The resolved stack."""

import platform
import subprocess
import sys
from importlib import metadata

from bgcheck.report.stack import describe, resolved_stack, version_of


def test_versions_are_those_that_are_installed():
    stack = resolved_stack()
    assert next(iter(stack)) == "python"
    assert stack["python"] == platform.python_version()
    for name in ("fastapi", "starlette", "anyio", "pydantic", "pytest", "uvicorn"):
        assert stack[name] == metadata.version(name)


def test_what_is_absent_is_left_out():
    assert version_of("no-such-distribution") is None
    assert None not in resolved_stack().values()


def test_nothing_is_imported_to_find_out():
    code = (
        "import sys; from bgcheck.report.stack import resolved_stack; resolved_stack(); "
        "print(sorted({'fastapi', 'starlette', 'anyio', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_stack_is_described_on_one_line():
    assert describe({"python": "3.13.0", "fastapi": "1.0"}) == "python 3.13.0, fastapi 1.0"
