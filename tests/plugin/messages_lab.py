"""Run a test module on the example shop, and read the failure messages as pytest prints them."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest

SHOP = Path(__file__).parent / "examples" / "shop.py"

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
"""

CONFTEST = """
import pytest
from starlette.testclient import TestClient

import shop


@pytest.fixture
def client():
    return TestClient(shop.app, raise_server_exceptions=False)
"""

HEADER = """
from unittest.mock import ANY

from bgcheck import scheduled
from shop import *
"""

RUNS = {
    "plain": {},
    "on a CI server": {"CI": "true"},
    "under xdist": {"PYTEST_ADDOPTS": "-n2"},
}
"""Environments in which a message must be the same."""


def failures(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    tests: str,
    *options: str,
    **environment: str,
) -> dict[str, str]:
    """Return for each failed test the source line that pytest points at, and the message below."""
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": "100", "NO_COLOR": "1", **environment}.items():
        monkeypatch.setenv(name, value)
    shutil.copy(SHOP, pytester.path)
    pytester.makefile(".ini", pytest=INI)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_shop=HEADER + dedent(tests))
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "passed" not in result.parseoutcomes()
    return _by_test(result.outlines)


def _by_test(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        heading = re.fullmatch(r"_+ (\w+) _+", line)
        if heading:
            current = found[heading[1]] = []
        elif re.match(r"[>E] ", line):
            current.append(line)
        elif line.startswith("===="):
            current = []
    return {name: "\n".join(lines) for name, lines in found.items()}


def too_wide(messages: dict[str, str]) -> list[str]:
    """Return the lines of messages that do not fit into 100 columns."""
    lines = "\n".join(messages.values()).splitlines()
    return [line for line in lines if line.startswith("E") and len(line) > 100]
