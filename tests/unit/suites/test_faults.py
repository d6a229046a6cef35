"""Planting faults: each breaks something, and comes out without a trace."""

import asyncio

import pytest
from fastapi import BackgroundTasks as InjectedTasks
from fastapi import applications, routing
from fastapi.dependencies import utils
from starlette import background, responses
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request

from bgcheck_suites.faults import FAULTS, Patches, plant
from bgcheck_suites.faults.planting import KILLS, tomllib
from bgcheck_suites.selftest import requirements, unnamed

try:
    from fastapi.middleware import asyncexitstack
except ImportError:  # FastAPI 0.106 to 0.117
    STACK = ()
else:
    STACK = (asyncexitstack,)

OWNERS = (
    BackgroundTask,
    BackgroundTasks,
    InjectedTasks,
    background,
    utils,
    routing,
    applications,
    *STACK,
    Request,
    responses.Response,
    responses.JSONResponse,
    responses.StreamingResponse,
    responses.FileResponse,
    responses.RedirectResponse,
    BaseHTTPMiddleware,
    GZipMiddleware,
    ServerErrorMiddleware,
)


def state():
    return {
        (id(owner), name): id(value)
        for owner in OWNERS
        for name, value in vars(owner).items()
        if not name.startswith("__") or name in {"__init__", "__call__"}
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


def test_there_are_at_least_forty_faults():
    assert len(FAULTS) >= 40


def test_every_requirement_is_named_by_a_fault():
    assert unnamed() == []


def test_faults_name_requirements_of_the_framework_that_exist():
    named = tomllib.loads(KILLS.read_text(encoding="utf-8"))
    assert list(named) == list(FAULTS)
    for name, ids in named.items():
        assert ids, name
        assert set(ids) <= set(requirements()), name
        assert len(set(ids)) == len(ids), name
