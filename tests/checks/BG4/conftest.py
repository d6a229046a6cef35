"""The `lab` fixture for apps that hand sessions and the like to tasks."""

from __future__ import annotations

import pytest
from checks_lab import Lab


@pytest.fixture
def lab(pytester: pytest.Pytester) -> Lab:
    """Runs small apps under the checks, but for the one about arguments that cannot travel."""
    return Lab(pytester, ignore="BG311")
