"""Planted apps leave things open on purpose: let go of them where nobody is told."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from contract_lab import left_open

from bgcheck import modes


@pytest.fixture
def _let_go() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left_open.close()
        gc.collect()


@pytest.fixture(autouse=True, scope="module")
def _one_sleep(request: pytest.FixtureRequest) -> None:
    modes.keep_sleep(request.session)
