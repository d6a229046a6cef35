"""Planted apps leave things open on purpose: let go of them where nobody is told."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import planted_database
import pytest


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        planted_database.let_go()
        gc.collect()
