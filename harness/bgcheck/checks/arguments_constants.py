"""BG3, continued: constants and cached objects that a task changes for everybody."""

from __future__ import annotations

import ast
import functools
import gc
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bgcheck.checks.arguments_live import (
    changes_by,
    data_in,
    data_of,
    has_objects,
    is_service,
    leads_to,
    state_at_start,
)
from bgcheck.checks.arguments_shared import evidence_of
from bgcheck.checks.base import Check, Finding
from bgcheck.checks.reach import is_shared, user_modules
from bgcheck.checks.source import called_name, nodes_in_functions, tree_of
from bgcheck.recorder.contents import reader_of
from bgcheck.recorder.record import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Default
    from bgcheck.events import TaskFinished, TaskSettled, TaskStarted, ValueReturned
    from bgcheck.recorder.record import ScheduledTask
    from bgcheck.recorder.state import Change


@dataclass(frozen=True)
class _Name:
    """A name of a user's module that leads to a changed object.

    Attributes:
        file: the module's source file.
        module: the module's own name.
        name: the name in the module.
        cached: it is a function whose cached results lead there.
    """

    file: str
    module: str
    name: str
    cached: bool

    @property
    def text(self) -> str:
        """The name as a message has it."""
        return f"the cached result of {self.name}()" if self.cached else self.name


class MutatedByTask(Check):
    """A task changed a module's constant, a cached or a returned object, that it was given."""

    code = "BG302"
    name = "mutated-by-task"
    default: ClassVar[Default] = "W"
    summary = "A task changed an argument that others still see: a constant or a cached object."
    way_out = "Pass a copy, or have the task make one before it changes anything."
    opt_in_instruments: ClassVar[tuple[str, ...]] = ("returned",)

    def __init__(self) -> None:
        self._suspects: weakref.WeakKeyDictionary[
            ScheduledTask, list[tuple[Change, tuple[_Name, ...]]]
        ] = weakref.WeakKeyDictionary()
        self._returned: weakref.WeakKeyDictionary[ScheduledTask, frozenset[int]] = (
            weakref.WeakKeyDictionary()
        )

    def on_value_returned(self, event: ValueReturned) -> None:
        """Note what the waiting tasks have of it: these objects live as long as the tasks do."""
        returned = frozenset(map(id, data_in(event.value)))
        for task in event.request.tasks:
            if returned and task.outcome in UNFINISHED and has_objects(task):
                self._returned[task] = returned.intersection(data_of(task))

    def on_task_started(self, event: TaskStarted) -> None:
        """Note the state of the arguments."""
        state_at_start(event.task)

    def on_task_finished(self, event: TaskFinished) -> Iterator[Finding]:
        """Note what changed, and which names of modules lead to it."""
        task = event.task
        if task.call is None or task.call.constant:
            return
        found = changes_by(task)
        data = data_of(task) if found else {}
        suspects = [
            (change, names)
            for change in found
            if change.holder in data and (names := tuple(_names_of(data[change.holder])))
        ]
        if suspects:
            self._suspects[task] = suspects
        elif found:
            yield from self._judge_returned(task, found, data)

    def _judge_returned(
        self, task: ScheduledTask, found: list[Change], data: dict[int, Any]
    ) -> Iterator[Finding]:
        """Tell of changes in what the endpoint returned, unless it is part of a store."""
        returned = self._returned.get(task, ())
        changes = [
            change
            for change in found
            if change.holder in returned
            and change.holder in data
            and not is_shared(data[change.holder], task.request)
        ]
        if changes:
            yield self.found(
                f"{task.name} changed {changes[0].path}, which is part of what the endpoint "
                "returned: the client has it without the change.",
                evidence_of(changes, "before", "after"),
                task=task,
                default="O",
            )

    def on_task_settled(self, event: TaskSettled) -> Iterator[Finding]:
        """Leave out stores, as the sources of the modules tell them."""
        if not self._suspects:
            return
        task = event.task
        found: dict[_Name, list[Change]] = {}
        for change, names in self._suspects.pop(task, ()):
            if not any(map(_is_store, names)):
                found.setdefault(names[0], []).append(change)
        for name, changes in found.items():
            yield self.found(
                f"{task.name} changed {changes[0].path}, which is part of {name.text}: everybody "
                "who uses it gets the change.",
                evidence_of(changes, "before", "after"),
                task=task,
            )


def _names_of(holder: object) -> Iterator[_Name]:
    """Yield the names of users' modules that lead to an object, by data or by a cache."""
    for module in user_modules():
        for name, value in list(vars(module).items()):
            cached = isinstance(value, _CACHE)
            leads = _holds(value, holder) if cached else _is_data(value, holder)
            if leads:
                yield _Name(str(module.__file__), module.__name__, name, cached)


def _is_data(value: Any, holder: object) -> bool:
    kind = type(value)
    return reader_of(kind) is not None and not is_service(kind) and leads_to(value, holder)


def _holds(cache: object, holder: object) -> bool:
    """Whether a cached result of a function is, or leads to, an object.

    A cache leads to its results itself, or by a dict.
    """
    direct = gc.get_referents(cache)
    results = [*direct, *(each for one in direct if type(one) is dict for each in one.values())]
    return any(_is_data(each, holder) for each in results)


_CACHE: Final = type(functools.lru_cache(repr))


def _is_store(name: _Name) -> bool:
    """Whether a name is meant to be changed: it begins empty, or functions write to it."""
    if _begins_empty(name.file, name.name):
        return True
    files = {str(module.__file__) for module in user_modules()}
    return any(name.name in _written(file) and _may_mean(file, name) for file in files)


def _may_mean(file: str, name: _Name) -> bool:
    """Whether code in a file can mean this name: it is there, or imported from where it is."""
    known = {name.name, *name.module.split(".")}
    return file == name.file or not known.isdisjoint(_imported(file))


@functools.lru_cache(maxsize=512)
def _imported(file: str) -> frozenset[str]:
    """Return every word in the imports of a file, at the top and in functions."""
    words: set[str] = set()
    for node in ast.walk(tree_of(file) or ast.Module([], [])):
        if isinstance(node, ast.Import | ast.ImportFrom):
            words.update(word for alias in node.names for word in alias.name.split("."))
        if isinstance(node, ast.ImportFrom):
            words.update((node.module or "").split("."))
    return frozenset(words)


@functools.lru_cache(maxsize=512)
def _begins_empty(file: str, name: str) -> bool:
    tree = tree_of(file)
    if tree is None:
        return True
    values = list(_values(tree, name))
    return any(map(_is_blank, values))


def _values(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    """Yield what a name of a module is bound to, or what the function of that name returns."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            if any(_is_name(target, name) for target in node.targets):
                yield node.value
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None and _is_name(node.target, name):
                yield node.value
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            yield from _returned(node)


def _returned(function: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


_EMPTY: Final = frozenset(
    {"dict", "list", "set", "deque", "OrderedDict", "Counter", "bytearray", "defaultdict"}
)


def _is_blank(node: ast.expr) -> bool:
    """Whether an expression gives something that is there to be filled or counted up."""
    if isinstance(node, ast.Constant):
        return not node.value
    if isinstance(node, ast.Dict):
        return all(map(_is_blank, node.values))
    if isinstance(node, (ast.List, ast.Set, ast.Tuple)):
        return all(map(_is_blank, node.elts))
    if isinstance(node, ast.Call) and called_name(node) in _EMPTY:
        return called_name(node) == "defaultdict" or not (node.args or node.keywords)
    return False


_CHANGING: Final = frozenset(
    {
        *("append", "appendleft", "extend", "insert", "remove", "pop", "popleft", "clear"),
        *("update", "setdefault", "popitem", "add", "discard", "move_to_end"),
    }
)


@functools.lru_cache(maxsize=512)
def _written(file: str) -> frozenset[str]:
    """Return the names that functions in a file bind anew, or change what they stand for."""
    return frozenset(
        name for node in nodes_in_functions(file) for name in _names_written(node) if name
    )


def _names_written(node: ast.AST) -> Iterator[str | None]:
    if isinstance(node, ast.Global):
        yield from node.names
    elif isinstance(node, (ast.Subscript, ast.Attribute)):
        if isinstance(node.ctx, (ast.Store, ast.Del)):
            yield from _bases(node.value)
    elif isinstance(node, ast.Call):
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in _CHANGING:
            yield from _bases(func.value)


def _bases(node: ast.expr) -> Iterator[str | None]:
    """Yield the names in `settings.JOBS["a"]` that may be the changed one."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        node = node.value
    yield node.id if isinstance(node, ast.Name) else None
