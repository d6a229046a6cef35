"""The `project` fixture for the tests of the checks' options."""

from __future__ import annotations

import pytest
from checks_plugin_lab import Project

import support.inner_sessions  # noqa: F401 - makes them cheap


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A small project with planted faults."""
    return Project(pytester, monkeypatch)
