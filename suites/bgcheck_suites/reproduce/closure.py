"""All that a piece of code needs of the suites' modules, and of others."""

import ast
import copy
import symtable
from collections.abc import Iterable, Iterator, Sequence

from . import stand_ins
from .definitions import Definition, bindings, resolve
from .shorten import Shorten, Tidy, TooRichError

_STAND_INS = stand_ins.__name__
_ALWAYS = frozenset({"observe", "httpx"})
_MACHINERY = ("events", "lab", "server", "conftest", "judge", "marks")
_PLAIN = frozenset({"property", "staticmethod", "classmethod"})
_PARTS = frozenset({"roots", "LIMIT"})


class Closure:
    """Collects definitions until no name is missing. With `rewrite`, all are shortened by it."""

    def __init__(self, rewrite: Shorten | None = None, given: Iterable[str] = ()) -> None:
        self._rewrite = rewrite
        self._given = frozenset(given)
        self._found: dict[str, Definition] = {}
        self._ordered: list[tuple[Definition, ast.stmt]] = []
        self._attributes: set[str] = set()
        self._classes: list[tuple[str, ast.ClassDef]] = []

    def need(self, module: str, nodes: Sequence[ast.stmt]) -> None:
        """Add what some statements, seen from a module, need."""
        for node in nodes:
            self._need(module, node)
        while self._grow():
            pass

    def _need(self, module: str, node: ast.AST) -> None:
        self._attributes |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
        for name in sorted(_free_names(node)):
            self._add(module, name)

    def _add(self, module: str, name: str) -> None:
        definition = self._resolve(module, name)
        if definition is None or name in self._given:
            return
        if name in self._found:
            if definition.imported and isinstance(definition.node, ast.Import):
                self._ordered.append((definition, definition.node))
            elif ast.dump(self._found[name].node) != ast.dump(definition.node):
                raise ValueError(f"{name} means two things: {self._found[name]}, {definition}")
            return
        self._found[name] = definition
        node = copy.deepcopy(definition.node)
        if not definition.imported:
            node = self._rewritten(definition, node)
            if isinstance(node, ast.ClassDef):
                self._split(definition.module, node)
            self._need(definition.module, node)
        self._ordered.append((definition, node))

    def _resolve(self, module: str, name: str) -> Definition | None:
        short = self._rewrite is not None
        if (short or name in _ALWAYS) and name in bindings(_STAND_INS):
            plain = resolve(module, name)
            if plain is None or not plain.imported or name in _ALWAYS:
                return resolve(_STAND_INS, name)
        return resolve(module, name)

    def _rewritten(self, definition: Definition, node: ast.stmt) -> ast.stmt:
        if self._rewrite is not None and definition.module != _STAND_INS:
            if definition.module.rpartition(".")[2] in _MACHINERY and (
                definition.name not in _PARTS
            ):
                raise TooRichError(definition.name)
            node = self._rewrite.visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _without_fixture(node)
        if not definition.module.rpartition(".")[2].startswith("test_"):
            _without_annotations(node)
        tidied: ast.stmt = Tidy().visit(node)
        return tidied

    def _split(self, module: str, node: ast.ClassDef) -> None:
        """Put the methods of a class aside, until their names are used."""
        self._classes.append((module, node))
        methods = [part for part in node.body if _method(part)]
        node.body = [part for part in node.body if part not in methods] or [ast.Pass()]
        node.waiting = methods  # type: ignore[attr-defined]

    def _grow(self) -> bool:
        """Add the methods whose names are used by now; return whether there were any."""
        grown = False
        for module, node in list(self._classes):
            waiting: list[ast.FunctionDef] = node.waiting  # type: ignore[attr-defined]
            for method in [m for m in waiting if _used(m.name, self._attributes)]:
                waiting.remove(method)
                node.body.append(method)
                self._need(module, method)
                grown = True
        return grown

    def module(self, body: list[ast.stmt], *, inline: bool) -> ast.Module:
        """Return the program: imports, definitions, and then the body."""
        for _, node in self._classes:
            node.body = [part for part in node.body if not isinstance(part, ast.Pass)] or node.body
        if inline:
            body = list(_inlined(body))
        imports = sorted({ast.unparse(n) for d, n in self._ordered if d.imported})
        parsed = ast.parse("\n".join(imports)).body
        seen: dict[int, ast.stmt] = {
            id(self._found[d.name].node): n for d, n in self._ordered if not d.imported
        }
        program = ast.Module([*_joined(parsed), *seen.values(), *body], [])
        return ast.fix_missing_locations(program)


def _joined(nodes: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Join the imports from one module."""
    plain = [node for node in nodes if isinstance(node, ast.Import)]
    sources: dict[str, list[ast.alias]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            sources.setdefault(str(node.module), []).extend(node.names)
    yield from plain
    for module, names in sources.items():
        yield ast.ImportFrom(module, names, 0)


def _inlined(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the body of a probe, or the probe and its call where that is not the same."""
    for node in body:
        assert isinstance(node, ast.FunctionDef)
        if _needs_a_function(node):
            yield node
            yield ast.Expr(ast.Call(ast.Name(node.name, ast.Load()), [], []))
        else:
            yield from node.body


def _needs_a_function(node: ast.FunctionDef) -> bool:
    """Whether a body means something else outside a function."""
    return any(isinstance(part, ast.Nonlocal) or _quoted(part) for part in ast.walk(node)) or any(
        isinstance(part, ast.Return) for part in _own_statements(node)
    )


def _own_statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a function, without the functions and classes in it."""
    for part in ast.iter_child_nodes(node):
        yield part
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _own_statements(part)


def _quoted(node: ast.AST) -> bool:
    """Whether an annotation is a string, and so depends on where the function is."""
    return isinstance(node, ast.arg) and isinstance(node.annotation, ast.Constant)


def _method(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _used(name: str, attributes: set[str]) -> bool:
    """Whether something may call a method: by its name, or the language by its protocol."""
    return (
        name in attributes
        or not name.isidentifier()
        or name.startswith("__")
        or (name in {"emit", "startup"})
    )


def _without_fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    node.decorator_list = [
        d for d in node.decorator_list if not ast.unparse(d).startswith("pytest.fixture")
    ]


def _without_annotations(node: ast.AST) -> None:
    """Drop the annotations of a helper; those of decorated functions have a meaning."""
    for function in ast.walk(node):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and (
            function is node or {ast.unparse(d) for d in function.decorator_list} <= _PLAIN
        ):
            function.returns = None
            for argument in ast.walk(function.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None


def _free_names(node: ast.AST) -> set[str]:
    """Return the names that a statement takes from its module."""
    text = ast.unparse(ast.fix_missing_locations(ast.Module([node], [])))  # type: ignore[list-item]
    table = symtable.symtable(text, "probe", "exec")
    own = set(_bound(node))
    return (set(_globals(table)) | _quoted_names(node)) - own


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _quoted_names(node: ast.AST) -> set[str]:
    """Return the names in annotations that are strings."""
    texts = [
        str(part.annotation.value)
        for part in ast.walk(node)
        if isinstance(part, ast.arg) and isinstance(part.annotation, ast.Constant)
    ]
    return {n.id for text in texts for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
