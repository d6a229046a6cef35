"""Faults: how one is named, planted and taken out again."""

import functools
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask, BackgroundTasks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - pytest brings it

KILLS = Path(__file__).with_name("kills.toml")

Undo = Callable[[], None]
Plant = Callable[["Patches"], None]


class Patches:
    """Attributes that were replaced, and how to put them back."""

    def __init__(self) -> None:
        self._undo: list[Undo] = []

    def set(self, owner: Any, name: str, value: object) -> None:
        """Replace an attribute that the owner itself defines."""
        original = vars(owner)[name]
        self._undo.append(lambda: setattr(owner, name, original))
        setattr(owner, name, value)

    def add(self, owner: Any, name: str, value: object) -> None:
        """Give the owner an attribute that it does not define itself."""
        assert name not in vars(owner), name
        self._undo.append(lambda: delattr(owner, name))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back, last first."""
        while self._undo:
            self._undo.pop()()


@dataclass(frozen=True)
class Fault:
    """One way to be broken: its name, what it does, and the requirements that must find it."""

    name: str
    summary: str
    plant: Plant

    @property
    def kills(self) -> tuple[str, ...]:
        """The ids of the requirements that must not hold with this fault."""
        return _kills()[self.name]


@functools.cache
def _kills() -> dict[str, tuple[str, ...]]:
    data = tomllib.loads(KILLS.read_text(encoding="utf-8"))
    return {name: tuple(ids) for name, ids in data.items()}


FAULTS: dict[str, Fault] = {}


def plant(name: str) -> Undo:
    """Plant a fault, and return the function that takes it out again.

    Raises KeyError for a name that is not in FAULTS.
    """
    patches = Patches()
    FAULTS[name].plant(patches)
    return patches.undo


def fault(name: str, summary: str) -> Callable[[Plant], Plant]:
    """Register a function that plants a fault, under a name."""

    def register(function: Plant) -> Plant:
        FAULTS[name] = Fault(name, summary, function)
        return function

    return register


def groups() -> list[type[BackgroundTasks]]:
    """Return the classes that run a group: Starlette's, and FastAPI's where it has its own."""
    from fastapi import BackgroundTasks as Injected

    classes = dict.fromkeys([BackgroundTasks, Injected])
    return [cls for cls in classes if "__call__" in vars(cls)]


def run_groups(patches: Patches, run: Callable[[BackgroundTasks], Awaitable[None]]) -> None:
    """Run every group in this way."""

    async def call(self: BackgroundTasks) -> None:
        await run(self)

    for cls in groups():
        patches.set(cls, "__call__", call)


def run_tasks(patches: Patches, run: Callable[[BackgroundTask], Awaitable[None]]) -> None:
    """Run every single task in this way."""

    async def call(self: BackgroundTask) -> None:
        await run(self)

    patches.set(BackgroundTask, "__call__", call)


original_task = BackgroundTask.__call__


def make_tasks(patches: Patches, make: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> None:
    """Make every task of another function and arguments than those given."""
    original = BackgroundTask.__init__

    def init(self: BackgroundTask, func: Any, *args: Any, **kwargs: Any) -> None:
        func, args, kwargs = make(func, args, kwargs)
        original(self, func, *args, **kwargs)

    patches.set(BackgroundTask, "__init__", init)
