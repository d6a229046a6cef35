"""What all tests of this project share: warnings that old stacks give, and a look at the hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bgcheck.instrument.hub import hub

EXPECTED_WARNINGS = (
    # FastAPI before 0.119 reads pydantic's module for v1 models.
    "ignore:The `__get_validators__` method is deprecated",
    # Starlette before 1.0 imports `multipart`, which the package has since called python_multipart.
    "ignore:Please use `import python_multipart` instead.:PendingDeprecationWarning",
    # TestClient of Starlette 0.27 passes `app=` on to httpx 0.27.
    "ignore:The 'app' shortcut is now deprecated:DeprecationWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let through the warnings that old versions of other packages cannot help giving."""
    for line in EXPECTED_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(autouse=True)
def _no_internal_errors() -> Iterator[None]:
    """An error inside bgcheck never reaches a test, so each test looks whether there was one."""
    yield
    errors = list(hub.errors)
    hub.errors.clear()
    for error in errors:
        raise AssertionError("an internal error of bgcheck") from error
