"""All that a piece of code needs of the suites' modules, and of others."""

import ast
import copy
import symtable
from collections.abc import Iterator, Sequence

from .definitions import FRAMEWORK, Definition, Function, bindings, resolve
from .rewriting import Rewriting

_REPLACED = frozenset({"on_trio"})
_STAND_INS = (f"{__package__}.stand_ins", f"{__package__}.server_stand_ins")


class Closure:
    """Collects definitions, rewritten, until no name is missing."""

    def __init__(self, rewrite: Rewriting) -> None:
        self._rewrite = rewrite
        self._found: dict[str, Definition] = {}
        self._ordered: list[tuple[Definition, ast.stmt]] = []
        self._attributes: set[str] = set()
        self._waiting: list[tuple[str, ast.ClassDef, list[Function]]] = []

    def need(self, module: str, nodes: Sequence[ast.stmt]) -> None:
        """Add what some statements, seen from a module, need."""
        for node in nodes:
            self._need(module, node)
        while self._grow():
            pass

    def _need(self, module: str, node: ast.AST) -> None:
        self._attributes |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
        for name in sorted(free_names(node)):
            self._add(module, name)

    def _add(self, module: str, name: str) -> None:
        definition = _definition(module, name)
        if definition is None:
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

    def _rewritten(self, definition: Definition, node: ast.stmt) -> ast.stmt:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [
                d for d in node.decorator_list if not ast.unparse(d).startswith("pytest.fixture")
            ]
        rewritten: ast.stmt = self._rewrite.visit(node)
        if not definition.module.rpartition(".")[2].startswith("test_"):
            _without_annotations(rewritten)
        return rewritten

    def _split(self, module: str, node: ast.ClassDef) -> None:
        """Put the methods of a class aside, until their names are used."""
        methods = [part for part in node.body if isinstance(part, _FUNCTIONS)]
        node.body = [part for part in node.body if part not in methods] or [ast.Pass()]
        self._waiting.append((module, node, methods))

    def _grow(self) -> bool:
        """Add the methods whose names are used by now; return whether there were any."""
        grown = False
        for module, node, waiting in list(self._waiting):
            for method in [m for m in waiting if _used(m.name, self._attributes)]:
                waiting.remove(method)
                node.body = [part for part in node.body if not isinstance(part, ast.Pass)]
                node.body.append(method)
                self._need(module, method)
                grown = True
        return grown

    def program(self) -> list[ast.stmt]:
        """Return the imports and the definitions."""
        imports = [node for definition, node in self._ordered if definition.imported]
        return [*imports, *(node for definition, node in self._ordered if not definition.imported)]


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _definition(module: str, name: str) -> Definition | None:
    """Return the definition behind a name: a stand-in for what is the suites' own."""
    plain = resolve(module, name)
    own = plain is not None and plain.module.startswith(FRAMEWORK) and name not in _REPLACED
    if plain is None or not (plain.imported or own) or name == "httpx":
        for stand_in in _STAND_INS:
            found = bindings(stand_in).get(name)
            if found is not None:
                return resolve(stand_in, name)
    return plain


def _used(name: str, attributes: set[str]) -> bool:
    """Whether something may call a method: by its name, or the language by its protocol."""
    return name in attributes or name.startswith("__") or name == "close"


_PLAIN = frozenset({"property", "staticmethod", "classmethod", "contextmanager"})


def _without_annotations(node: ast.AST) -> None:
    """Drop the annotations of a helper; those of decorated functions have a meaning."""
    for function in ast.walk(node):
        if isinstance(function, _FUNCTIONS) and (
            function is node or {ast.unparse(d) for d in function.decorator_list} <= _PLAIN
        ):
            function.returns = None
            for argument in ast.walk(function.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None


def free_names(node: ast.AST) -> set[str]:
    """Return the names that a statement takes from around it."""
    module = ast.Module([node], [])  # type: ignore[list-item]
    table = symtable.symtable(ast.unparse(ast.fix_missing_locations(module)), "probe", "exec")
    own = {getattr(node, "name", "")}
    return (set(_globals(table)) | _quoted_names(node)) - own


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
