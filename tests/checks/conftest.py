"""The `lab` fixture for the tests of the checks."""

from __future__ import annotations

import pytest
from checks_lab import Lab


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under the checks."""
    return Lab(pytester)
