"""`bgcheck.recorder.failure`: what is kept of an error."""

from __future__ import annotations

import sys
from types import TracebackType

import pytest

from bgcheck.recorder.failure import is_raised


def test_at_a_raise() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        raise ValueError("x")
    assert is_raised(caught.tb)


def test_at_a_call() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    assert not is_raised(caught.tb)


def test_without_a_traceback() -> None:
    assert not is_raised(None)


@pytest.mark.parametrize("position", [-2, 10**6])
def test_in_a_function_without_instructions(position: int) -> None:
    """Cython's code is empty, and its tracebacks point nowhere."""
    frame = sys._getframe()
    assert not is_raised(TracebackType(None, frame, position, 1))
