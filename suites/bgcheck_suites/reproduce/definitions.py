"""Where the names of the suites' own modules are defined, read from their source."""

import ast
import functools
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bgcheck_suites
from bgcheck_suites.marks import requirement

PACKAGE = bgcheck_suites.__name__
FRAMEWORK = f"{PACKAGE}.framework"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """A statement of a module that binds a name."""

    module: str
    name: str
    node: ast.stmt

    @property
    def imported(self) -> bool:
        """Whether the name comes from outside the suites."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)


@functools.cache
def bindings(module: str) -> dict[str, ast.stmt]:
    """Return the statement that binds each name of a module."""
    return {name: node for node in _tree(module).body for name in _bound(node)}


@functools.cache
def _tree(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _bound(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top of a module binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        case ast.If() | ast.Try():
            yield from (name for part in ast.iter_child_nodes(node) for name in _inside(part))
        case _:
            yield from _inside(node)


def _inside(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.Import | ast.ImportFrom):
            yield from _bound(part)


def resolve(module: str, name: str) -> Definition | None:
    """Return the definition behind a name of a module, followed through the suites' imports.

    None for a name that the module does not define, such as a builtin.
    """
    node = bindings(module).get(name)
    if node is None:
        return None
    if isinstance(node, ast.ImportFrom):
        alias = next(a for a in node.names if name in (a.asname, a.name))
        source = _source(module, node)
        if source.startswith(PACKAGE):
            return resolve(source, alias.name)
        node = ast.ImportFrom(source, [alias], 0)
    elif isinstance(node, ast.Import):
        node = ast.Import([a for a in node.names if name == (a.asname or a.name.split(".")[0])])
    return Definition(module, name, node)


def _source(module: str, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that an import names."""
    if not node.level:
        return node.module or ""
    parents = module.split(".")[: -node.level]
    return ".".join([*parents, *filter(None, [node.module])])


@functools.cache
def probes() -> dict[str, tuple[Definition, ...]]:
    """Return the probes of the framework suite by the id that each measures."""
    found: dict[str, tuple[Definition, ...]] = {}
    package = importlib.import_module(FRAMEWORK)
    for info in pkgutil.iter_modules(package.__path__, f"{FRAMEWORK}."):
        for name, node in bindings(info.name).items():
            if isinstance(node, ast.FunctionDef) and (id_ := _measured(node)):
                found[id_] = (*found.get(id_, ()), Definition(info.name, name, node))
    return found


def _measured(node: ast.FunctionDef) -> str | None:
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id=requirement.__name__), args=[ast.Constant(value=id_)]):
                return str(id_)
            case _:
                continue
    return None
