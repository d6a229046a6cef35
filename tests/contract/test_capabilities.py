"""Capabilities: both values of each are probed as they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from contract_lab import Planted, only, scheduling, two, work, work_async
from fastapi import FastAPI
from planted_database import app_of, in_with, sessions_of
from planted_errors import logging_it, recording, trying_again
from starlette.background import BackgroundTasks

from bgcheck_suites.endpoint.capabilities import Capabilities
from bgcheck_suites.endpoint.subject import SubjectError
from bgcheck_suites.events import Contradiction


def nested() -> FastAPI:
    def schedule(tasks: BackgroundTasks) -> None:
        tasks.add_task(tasks.add_task, work)

    return scheduling(schedule)


def probe(make: Any) -> Capabilities:
    return Capabilities.probe(Planted(make).of())


CASES = {
    "async_tasks": (only(work_async), only(work)),
    "several_tasks": (two(logging_it), only(work)),
    "schedules_nested": (nested, only(work)),
    "retries": (only(trying_again), only(work)),
    "records_failures": (recording, only(logging_it)),
    "raises_failures": (only(work), only(logging_it)),
}


@pytest.mark.parametrize("name", CASES)
def test_both_branches(name: str) -> None:
    has, has_not = CASES[name]
    began = time.monotonic()
    assert getattr(probe(has), name) is True
    assert getattr(probe(has_not), name) is False
    assert time.monotonic() - began < 30  # retries pause in virtual time


def test_a_database_is_used(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'planted.db'}"
    assert Capabilities.probe(Planted(app_of(in_with, sessions_of)).of(url)).uses_database
    assert not probe(only(work)).uses_database


def test_a_disagreement_is_a_finding() -> None:
    probed = probe(only(work))
    probed.require({"retries": False, "raises_failures": True})
    with pytest.raises(Contradiction, match="retries is declared True, and was probed False"):
        probed.require({"retries": True})


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SubjectError, match="'retrys' is no capability; there are uses_database"):
        probe(only(work)).require({"retrys": True})
