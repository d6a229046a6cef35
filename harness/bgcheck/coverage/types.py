"""Which expressions are, by what the source says, Starlette's or FastAPI's task objects."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from bgcheck.coverage.modules import FUNCTIONS, Function, Module, Project, dotted_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Kind = Literal["group", "task", "other"]
"""A `BackgroundTasks`, a `BackgroundTask`, or something else that is known."""

_KINDS: Final[dict[str, Kind]] = {
    "fastapi.BackgroundTasks": "group",
    "fastapi.background.BackgroundTasks": "group",
    "starlette.background.BackgroundTasks": "group",
    "starlette.background.BackgroundTask": "task",
}
_UNIONS: Final = frozenset({"Optional", "Union"})

Seen = frozenset[tuple["Path", str]]


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: its module, and the functions and class around it.

    Attributes:
        module: the module.
        functions: the functions around it, innermost first.
        owner: the class whose method the outermost of them is.
    """

    module: Module
    functions: tuple[Function | ast.Lambda, ...] = ()
    owner: ast.ClassDef | None = None


@dataclass
class Bindings:
    """What one function, class or module gives a name: annotations and values."""

    annotations: list[ast.expr] = field(default_factory=list)
    values: list[ast.expr] = field(default_factory=list)


class Types:
    """Tells what an expression is; None where the source does not say.

    Args:
        project: the modules under test.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._tables: dict[int, dict[str, Bindings]] = {}

    def of_class(self, node: ast.expr, module: Module, seen: Seen = frozenset()) -> Kind | None:
        """Return what a class or an annotation means: `BackgroundTasks | None`, an alias, ..."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._of_text(node.value, module, seen)
        if isinstance(node, ast.BinOp):
            return self._of_any([node.left, node.right], module, seen)
        if isinstance(node, ast.Subscript):
            return self._of_subscript(node, module, seen)
        if isinstance(node, ast.Constant):
            return "other"
        name = dotted_name(node)
        return None if name is None else self._of_name(name, module, seen)

    def _of_text(self, text: str, module: Module, seen: Seen) -> Kind | None:
        try:
            return self.of_class(ast.parse(text, mode="eval").body, module, seen)
        except SyntaxError:
            return None

    def _of_subscript(self, node: ast.Subscript, module: Module, seen: Seen) -> Kind | None:
        outer = (dotted_name(node.value) or "").rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer == "Annotated":
            return self.of_class(inner[0], module, seen)
        return self._of_any(inner, module, seen) if outer in _UNIONS else "other"

    def _of_any(self, nodes: list[ast.expr], module: Module, seen: Seen) -> Kind | None:
        kinds: list[Kind | None] = [self.of_class(node, module, seen) for node in nodes]
        return _agreed(kinds)

    def _of_name(self, name: str, module: Module, seen: Seen) -> Kind | None:
        home, target = self.project.resolve(name, module)
        if home is None:
            return None if target.endswith(".Any") else _KINDS.get(target, "other")
        if (home.path, target) in seen:
            return None
        seen |= {(home.path, target)}
        if target in home.classes:
            return self._of_bases(home.classes[target], home, seen)
        if target in home.values:
            return self.of_class(home.values[target], home, seen)
        return "other" if hasattr(builtins, target) else None

    def _of_bases(self, node: ast.ClassDef, module: Module, seen: Seen = frozenset()) -> Kind:
        kinds: list[Kind | None] = [self.of_class(base, module, seen) for base in node.bases]
        return _agreed(kinds) or "other"

    def of_owner(self, scope: Scope) -> Kind | None:
        """Return what the class around a scope is."""
        return None if scope.owner is None else self._of_bases(scope.owner, scope.module)

    def of_value(self, node: ast.expr, scope: Scope, depth: int = 0) -> Kind | None:
        """Return what the value of an expression is."""
        if depth > _DEPTH:
            return None
        if isinstance(node, ast.Await | ast.NamedExpr):
            return self.of_value(node.value, scope, depth + 1)
        if isinstance(node, ast.IfExp | ast.BoolOp):
            parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
            kinds: list[Kind | None] = [self.of_value(part, scope, depth + 1) for part in parts]
            return _agreed(kinds)
        if isinstance(node, ast.Call):
            return self._of_call(node, scope)
        if isinstance(node, ast.Name):
            return self._of_variable(node.id, scope, depth)
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node, scope, depth)
        return None if isinstance(node, ast.Subscript) else "other"

    def _of_call(self, node: ast.Call, scope: Scope) -> Kind | None:
        name = dotted_name(node.func)
        if name == "super":
            return self.of_owner(scope)
        if name is None:
            return None
        if name.rpartition(".")[2] == "Depends" and node.args:
            return self._of_result(node.args[0], scope)
        return self._of_result(node.func, scope)

    def _of_result(self, callee: ast.expr, scope: Scope) -> Kind | None:
        """What a class makes, or a function returns."""
        name = dotted_name(callee)
        if name is None or name.partition(".")[0] in self._local_names(scope):
            return None
        home, target = self.project.resolve(name, scope.module)
        if home is not None and target in home.functions:
            returned = home.functions[target].returns
            return None if returned is None else self.of_class(returned, home)
        if home is None and target not in _KINDS:
            return None  # a function of a library may return anything
        return self.of_class(callee, scope.module)

    def _local_names(self, scope: Scope) -> set[str]:
        return {name for function in scope.functions for name in self._table(function)}

    def _of_variable(self, name: str, scope: Scope, depth: int) -> Kind | None:
        if name == _self_name(scope):
            return self.of_owner(scope)
        for number, function in enumerate(scope.functions):
            bindings = self._table(function).get(name)
            if bindings is not None:
                outer = Scope(scope.module, scope.functions[number:], scope.owner)
                return self._of_bindings(bindings, outer, depth)
        home, target = self.project.resolve(name, scope.module)
        bindings = None if home is None else self._table(home.tree).get(target)
        if home is None or bindings is None:
            return "other" if home is None else None
        return self._of_bindings(bindings, Scope(home), depth)

    def _of_bindings(self, bindings: Bindings, scope: Scope, depth: int) -> Kind | None:
        kinds: list[Kind | None] = [
            self.of_class(node, scope.module) for node in bindings.annotations
        ]
        kinds = kinds or [self.of_value(node, scope, depth + 1) for node in bindings.values]
        return _agreed(kinds)

    def _of_attribute(self, node: ast.Attribute, scope: Scope, depth: int) -> Kind | None:
        if not isinstance(node.value, ast.Name):
            return None
        found = self._class_of(node.value.id, scope)
        if found is None:
            home, target = self.project.resolve(f"{node.value.id}.{node.attr}", scope.module)
            table = {} if home is None or home is scope.module else self._table(home.tree)
            bindings = table.get(target)
            return (
                None
                if bindings is None or home is None
                else self._of_bindings(bindings, Scope(home), depth)
            )
        module, owner = found
        bindings = self._table(owner).get(node.attr)
        if bindings is not None:
            return self._of_bindings(bindings, Scope(module, (), owner), depth)
        return self._of_own_attribute(node.attr, module, owner, depth)

    def _of_own_attribute(
        self, name: str, module: Module, owner: ast.ClassDef, depth: int
    ) -> Kind | None:
        """What the methods of a class assign to `self.name`."""
        kinds: list[Kind | None] = []
        for method in owner.body:
            if isinstance(method, FUNCTIONS):
                bindings = self._table(method).get(f"self.{name}")
                if bindings is not None:
                    scope = Scope(module, (method,), owner)
                    kinds.append(self._of_bindings(bindings, scope, depth))
        return _agreed(kinds)

    def _class_of(self, name: str, scope: Scope) -> tuple[Module, ast.ClassDef] | None:
        """The class of the project that a variable is an object of."""
        if name == _self_name(scope) and scope.owner is not None:
            return scope.module, scope.owner
        for function in scope.functions:
            bindings = self._table(function).get(name)
            if bindings is not None:
                calls = [node.func for node in bindings.values if isinstance(node, ast.Call)]
                return next(
                    (c for n in bindings.annotations + calls if (c := self._find_class(n, scope))),
                    None,
                )
        return None

    def _find_class(self, node: ast.expr, scope: Scope) -> tuple[Module, ast.ClassDef] | None:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            node = node.slice.elts[0]
        name = dotted_name(node)
        home, target = self.project.resolve(name, scope.module) if name else (None, "")
        owner = None if home is None else home.classes.get(target)
        return None if home is None or owner is None else (home, owner)

    def _table(
        self, node: Function | ast.Lambda | ast.ClassDef | ast.Module
    ) -> dict[str, Bindings]:
        table = self._tables.get(id(node))
        if table is None:
            table = self._tables[id(node)] = bindings_in(node)
        return table


_DEPTH: Final = 8
"""How many assignments are followed from one name to the next."""


def _agreed(kinds: Sequence[Kind | None]) -> Kind | None:
    """Return what several sources say: one that names a task object outweighs the others."""
    found: list[Kind | None] = [kind for kind in kinds if kind == "group" or kind == "task"]
    if found:
        return found[0]
    return "other" if kinds and all(kind == "other" for kind in kinds) else None


def _self_name(scope: Scope) -> str | None:
    """The first parameter of the method that a scope lies in."""
    if scope.owner is None or not scope.functions:
        return None
    arguments = scope.functions[-1].args
    first = [*arguments.posonlyargs, *arguments.args][:1]
    return first[0].arg if first else None


def bindings_in(node: Function | ast.Lambda | ast.ClassDef | ast.Module) -> dict[str, Bindings]:
    """Return what a function, class or module binds, by name; attributes as `self.name`."""
    table: dict[str, Bindings] = {}
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        _add_parameters(table, node.args)
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    for inner in _own_nodes(list(body)):
        if isinstance(inner, ast.Assign):
            for target in inner.targets:
                _bind(table, target, value=inner.value)
        elif isinstance(inner, ast.AnnAssign):
            _bind(table, inner.target, annotation=inner.annotation)
        elif isinstance(inner, ast.NamedExpr):
            _bind(table, inner.target, value=inner.value)
        elif isinstance(inner, ast.For | ast.AsyncFor | ast.comprehension):
            _bind(table, inner.target)
        elif isinstance(inner, ast.withitem) and inner.optional_vars is not None:
            _bind(table, inner.optional_vars)
    return table


def _add_parameters(table: dict[str, Bindings], arguments: ast.arguments) -> None:
    ordered = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(ordered) - len(arguments.defaults))
    pairs = list(zip(ordered, [*defaults, *arguments.defaults], strict=True))
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    for argument, default in pairs:
        is_none = isinstance(default, ast.Constant) and default.value is None
        _bind(
            table,
            ast.Name(argument.arg),
            annotation=argument.annotation,
            value=None if is_none else default,
        )
    for extra in filter(None, (arguments.vararg, arguments.kwarg)):
        _bind(table, ast.Name(extra.arg))


def _bind(
    table: dict[str, Bindings],
    target: ast.expr,
    *,
    annotation: ast.expr | None = None,
    value: ast.expr | None = None,
) -> None:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            _bind(table, element)
        return
    name = dotted_name(target)
    if name is None:
        return
    bindings = table.setdefault(name, Bindings())
    bindings.annotations += [annotation] if annotation is not None else []
    bindings.values += [value] if value is not None else []


def _own_nodes(body: list[ast.AST]) -> list[ast.AST]:
    """All nodes below, but nothing inside of further functions and classes."""
    found: list[ast.AST] = []
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            continue
        found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return found
