"""Planting faults: each breaks something, and comes out without a trace."""

import asyncio

import pytest
from fastapi import BackgroundTasks as InjectedTasks
from fastapi.dependencies import utils
from starlette import background, responses
from starlette.background import BackgroundTask, BackgroundTasks

from bgcheck_suites.faults import FAULTS, Patches, plant

OWNERS = (
    BackgroundTask,
    BackgroundTasks,
    InjectedTasks,
    background,
    utils,
    responses.Response,
    responses.JSONResponse,
    responses.StreamingResponse,
    responses.FileResponse,
    responses.RedirectResponse,
)
WATCHED = (
    "__init__",
    "__call__",
    "add_task",
    "run_in_threadpool",
    "solve_dependencies",
    "BackgroundTasks",
)


def state():
    return {
        (id(owner), name): vars(owner)[name]
        for owner in OWNERS
        for name in WATCHED
        if name in vars(owner)
    }


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_the_framework_and_comes_out_again(name):
    before = state()
    undo = plant(name)
    during = state()
    undo()
    assert during != before
    assert state() == before


def test_an_unknown_fault_is_refused():
    with pytest.raises(KeyError):
        plant("no such fault")


def test_patches_come_out_last_first():
    class Owner:
        """Something to patch twice."""

        value = 1

    patches = Patches()
    patches.set(Owner, "value", 2)
    patches.set(Owner, "value", 3)
    assert Owner.value == 3
    patches.undo()
    assert Owner.value == 1


def test_a_swallowed_exception_is_really_swallowed():
    def fail():
        raise ValueError("no")

    undo = plant("exception-swallowed")
    try:
        asyncio.run(BackgroundTask(fail)())
    finally:
        undo()
    with pytest.raises(ValueError, match="no"):
        asyncio.run(BackgroundTask(fail)())
