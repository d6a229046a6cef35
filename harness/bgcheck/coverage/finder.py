"""The lines that schedule tasks, found in the source."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgcheck.coverage.modules import FUNCTIONS, dotted_name
from bgcheck.coverage.types import Scope, Types

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bgcheck.coverage.modules import Module, Project

_OWN_METHODS: Final = ("__init__", "add_task", "__call__")
"""Methods of a task class that stand for their caller, as they do in a recording."""


@dataclass(frozen=True)
class FoundSite:
    """A call that schedules a task, or may do so.

    Attributes:
        file: the source file.
        line: its first line.
        end: its last line.
        function: the function around it, such as `create` or `Orders.create`.
        func: what it schedules, as it is written.
        defined: file, name and line of that function, if it is one of the project.
        certain: the object is known to be Starlette's or FastAPI's.
    """

    file: Path
    line: int
    end: int
    function: str
    func: str
    defined: tuple[Path, str, int] | None
    certain: bool


def find_sites(project: Project) -> list[FoundSite]:
    """Return the calls that schedule tasks in the modules under test.

    These are `add_task` of an object, and the making of a `BackgroundTask`, where the source says
    that the class is Starlette's or FastAPI's or a subclass: by an annotation, an assignment, a
    returned type, an import, in the same module or another one. An `add_task` whose object the
    source does not tell is uncertain; one of another class is none.
    """
    types = Types(project)
    return [
        site
        for module in project.modules.values()
        for site in _Finder(module, project, types).visit(module.tree, Scope(module), "<module>")
    ]


class _Finder:
    def __init__(self, module: Module, project: Project, types: Types) -> None:
        self.module = module
        self.project = project
        self.types = types

    def visit(self, node: ast.AST, scope: Scope, name: str) -> Iterator[FoundSite]:
        """Yield the sites below a node."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from self.visit(child, Scope(self.module, (), child), child.name)
            elif isinstance(child, (*FUNCTIONS, ast.Lambda)):
                inner = Scope(self.module, (child, *scope.functions), scope.owner)
                own = "<lambda>" if isinstance(child, ast.Lambda) else child.name
                in_class = isinstance(node, ast.ClassDef)
                yield from self.visit(child, inner, f"{name}.{own}" if in_class else own)
            else:
                if isinstance(child, ast.Call):
                    yield from self._site(child, scope, name)
                yield from self.visit(child, scope, name)

    def _site(self, call: ast.Call, scope: Scope, name: str) -> Iterator[FoundSite]:
        certain = self._schedules(call, scope)
        if certain is None or self._stands_for_its_caller(scope):
            return
        func = next(iter(call.args), None) or next(
            (keyword.value for keyword in call.keywords if keyword.arg == "func"), None
        )
        yield FoundSite(
            self.module.path,
            call.lineno,
            call.end_lineno or call.lineno,
            name,
            _shortened(func) if func is not None else "?",
            self._definition(func) if func is not None else None,
            certain,
        )

    def _schedules(self, call: ast.Call, scope: Scope) -> bool | None:
        """Whether a call schedules a task: yes, maybe, or None for no."""
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_task":
            kind = self.types.of_value(call.func.value, scope)
            return None if kind in ("other", "task") else kind == "group"
        named = isinstance(call.func, ast.Name | ast.Attribute)
        return (
            True
            if named and self.types.of_value(call, scope) == "task" and self._is_class(call.func)
            else None
        )

    def _is_class(self, callee: ast.expr) -> bool:
        """Whether a callee is a class, and not a function that returns a task object."""
        name = dotted_name(callee)
        home, target = self.project.resolve(name, self.module) if name else (None, "")
        return name not in (None, "super") and (home is None or target not in home.functions)

    def _stands_for_its_caller(self, scope: Scope) -> bool:
        outermost = scope.functions[-1] if scope.functions else None
        name = getattr(outermost, "name", None)
        return name in _OWN_METHODS and self.types.of_owner(scope) in ("group", "task")

    def _definition(self, func: ast.expr) -> tuple[Path, str, int] | None:
        name = dotted_name(func)
        home, target = self.project.resolve(name, self.module) if name else (None, "")
        found = None if home is None else home.functions.get(target)
        if home is None or found is None:
            return None
        first = min((one.lineno for one in found.decorator_list), default=found.lineno)
        return home.path, found.name, first


def _shortened(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
