"""The pytest plugin of bgcheck: hooks only. Imports no framework."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("bgcheck_suites")

from bgcheck.fixtures import bgtasks as bgtasks  # noqa: E402 - after the rewrite is registered
from bgcheck.instrument import install  # noqa: E402

if TYPE_CHECKING:
    from typing import TypeGuard

    from bgcheck.recorder.log import TaskLog


def pytest_configure(config: pytest.Config) -> None:
    """Patch frameworks as soon as they are imported."""
    config.addinivalue_line(
        "markers",
        "bgcheck(mode=None, clock=None, ignore=()): how background tasks run in this test",
    )
    install.install()
    config.add_cleanup(install.uninstall)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain a failed comparison with `bgtasks`."""
    for log, other in ((left, right), (right, left)):
        if _is_log(log):
            return log.explain(op, other)
    return None


def _is_log(value: object) -> TypeGuard[TaskLog]:
    module = sys.modules.get("bgcheck.recorder.log")
    return module is not None and isinstance(value, module.TaskLog)
