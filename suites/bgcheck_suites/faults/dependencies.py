"""Faults in dependencies, and in who gets the group of a request."""

import contextlib
import functools
import importlib
from contextvars import ContextVar, copy_context
from typing import Any

from starlette.background import BackgroundTask, BackgroundTasks

from .planting import Patches, fault, original_task, run_tasks


@fault("group-shared-by-requests", "all requests share one group, which is never emptied")
def _group_shared_by_requests(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected
    from fastapi.dependencies import utils

    patches.set(utils, "BackgroundTasks", functools.cache(Injected))


_DEPTH: ContextVar[int] = ContextVar("_DEPTH", default=0)


def _solve_by(patches: Patches, around: Any) -> None:
    """Solve dependencies in another way, wherever the function is known by its name."""
    from fastapi import routing
    from fastapi.dependencies import utils

    original = utils.solve_dependencies

    async def solve(**options: Any) -> Any:
        token = _DEPTH.set(_DEPTH.get() + 1)
        try:
            return await around(original, options)
        finally:
            _DEPTH.reset(token)

    for module in (utils, routing):
        patches.set(module, "solve_dependencies", solve)


@fault("group-not-shared", "each dependency gets a group of its own, and the last one counts")
def _group_not_shared(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected

    async def around(original: Any, options: Any) -> Any:
        return await original(**{**options, "background_tasks": Injected()})

    _solve_by(patches, around)


@fault("endpoint-gets-another-group", "the endpoint gets another group than its dependencies")
def _endpoint_gets_another_group(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected

    async def around(original: Any, options: Any) -> Any:
        solved = await original(**options)
        values = solved[0] if isinstance(solved, tuple) else solved.values
        name = options["dependant"].background_tasks_param_name
        if _DEPTH.get() == 1 and name:
            values[name] = Injected()
        return solved

    _solve_by(patches, around)


@fault("context-stays", "a later request sees the context variables of the tasks before it")
def _context_stays(patches: Patches) -> None:
    kept: dict[ContextVar[Any], str] = {}

    async def run(task: BackgroundTask) -> None:
        await original_task(task)
        kept.update((v, value) for v, value in copy_context().items() if type(value) is str)

    async def around(original: Any, options: Any) -> Any:
        for variable, value in kept.items():
            variable.set(value)
        return await original(**options)

    run_tasks(patches, run)
    _solve_by(patches, around)


@fault("sub-dependency-dropped", "the tasks of a dependency of a dependency are dropped")
def _sub_dependency_dropped(patches: Patches) -> None:
    _dropped_below(patches, 3)


@fault("dependency-dropped", "the tasks of dependencies are dropped")
def _dependency_dropped(patches: Patches) -> None:
    _dropped_below(patches, 2)


def _dropped_below(patches: Patches, depth: int) -> None:
    async def around(original: Any, options: Any) -> Any:
        if _DEPTH.get() < depth:
            return await original(**options)
        group = options.get("background_tasks")
        before = list(group.tasks) if group is not None else []
        solved = await original(**{**options, "background_tasks": group})
        for found in _groups_in(solved, options):
            found.tasks = _Deaf(before)
        return solved

    _solve_by(patches, around)


def _groups_in(solved: Any, options: Any) -> list[BackgroundTasks]:
    values = solved[0] if isinstance(solved, tuple) else solved.values
    given = options.get("background_tasks")
    return [v for v in values.values() if isinstance(v, BackgroundTasks) and v is not given]


class _Deaf(list[Any]):
    """A list that forgets what is added to it."""

    def append(self, _: Any) -> None:
        return


@fault("cache-ignored", "a dependency runs at each of its uses in a request")
def _cache_ignored(patches: Patches) -> None:
    async def around(original: Any, options: Any) -> Any:
        for sub in options["dependant"].dependencies:
            sub.use_cache = False
        return await original(**options)

    _solve_by(patches, around)


@fault("cache-forced", "a dependency without cache runs once in a request")
def _cache_forced(patches: Patches) -> None:
    async def around(original: Any, options: Any) -> Any:
        for sub in options["dependant"].dependencies:
            sub.use_cache = True
        return await original(**options)

    _solve_by(patches, around)


@fault("override-honoured", "an override of BackgroundTasks takes the place of the group")
def _override_honoured(patches: Patches) -> None:
    from fastapi import BackgroundTasks as Injected

    async def around(original: Any, options: Any) -> Any:
        provider = options.get("dependency_overrides_provider")
        override = getattr(provider, "dependency_overrides", {}).get(Injected)
        if override is not None:
            override()
        return await original(**options)

    _solve_by(patches, around)


def _generator_by(patches: Patches, enter: Any) -> None:
    from fastapi.dependencies import utils

    name = next(n for n in ("_solve_generator", "solve_generator") if n in vars(utils))
    original = vars(utils)[name]

    async def solve(**options: Any) -> Any:
        return await enter(original, options)

    patches.set(utils, name, solve)


@fault("dependency-exits-early", "a yield dependency exits before the endpoint runs")
def _dependency_exits_early(patches: Patches) -> None:
    async def enter(original: Any, options: Any) -> Any:
        async with contextlib.AsyncExitStack() as stack:
            return await original(**{**options, "stack": stack})

    _generator_by(patches, enter)


@fault("dependency-never-exits", "a yield dependency is never left")
def _dependency_never_exits(patches: Patches) -> None:
    kept: list[Any] = []

    async def enter(original: Any, options: Any) -> Any:
        stack = contextlib.AsyncExitStack()
        kept.append(stack)
        return await original(**{**options, "stack": stack})

    _generator_by(patches, enter)


@fault("exit-order-reversed", "the dependency that was entered first exits first")
def _exit_order_reversed(patches: Patches) -> None:
    from fastapi import routing

    modules: list[Any] = [routing]
    with contextlib.suppress(ImportError):  # FastAPI 0.106 to 0.117 has none
        modules.append(importlib.import_module("fastapi.middleware.asyncexitstack"))

    class FirstOut(contextlib.AsyncExitStack):
        async def __aexit__(self, *details: Any) -> bool:
            vars(self)["_exit_callbacks"].reverse()
            return bool(await super().__aexit__(*details))

    for module in modules:
        if "AsyncExitStack" in vars(module):
            patches.set(module, "AsyncExitStack", FirstOut)


@fault("group-in-schema", "the group is shown as a parameter of the API")
def _group_in_schema(patches: Patches) -> None:
    from fastapi import applications

    original: Any = vars(applications)["get_openapi"]

    def get_openapi(**options: Any) -> Any:
        schema = original(**options)
        for path in schema["paths"].values():
            for operation in path.values():
                operation.setdefault("parameters", []).append({"name": "tasks", "in": "query"})
        return schema

    patches.set(applications, "get_openapi", get_openapi)
