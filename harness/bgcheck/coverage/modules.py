"""The modules under test as syntax trees, and what their names mean."""

from __future__ import annotations

import ast
import tokenize
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_FRAMEWORKS = ("fastapi", "starlette")


class Module:
    """One source file: its imports, and its classes, functions and assignments by name."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.path = path
        self.tree = tree
        self.imports: dict[str, str] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.functions: dict[str, Function] = {}
        self.values: dict[str, ast.expr] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._add_import(node)
        for statement in tree.body:
            self._add_statement(statement)

    def _add_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                dot = "" if base.endswith(".") else "."
                self.imports[alias.asname or alias.name] = f"{base}{dot}{alias.name}"
            elif alias.asname:
                self.imports[alias.asname] = alias.name
            else:
                top = alias.name.partition(".")[0]
                self.imports[top] = top

    def _add_statement(self, node: ast.stmt) -> None:
        if isinstance(node, FUNCTIONS):
            self.functions[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.values[target.id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is not None:
                self.values[node.target.id] = node.value
        elif type(node).__name__ == "TypeAlias":  # a statement of Python 3.12
            name, value = getattr(node, "name", None), getattr(node, "value", None)
            if isinstance(name, ast.Name) and isinstance(value, ast.expr):
                self.values[name.id] = value


class Project:
    """All modules under test, and what they import beside them.

    Args:
        files: the modules under test.
        root: the rootdir; what lies above it is not looked at.

    Attributes:
        modules: those that could be parsed, by file.
        broken: files that could not be.
    """

    def __init__(self, files: Iterable[Path], root: Path) -> None:
        self.root = root
        self._known: dict[Path, Module | None] = {}
        self._by_name: defaultdict[str, list[Module]] = defaultdict(list)
        loaded = {file: self._load(file) for file in files}
        self.modules: dict[Path, Module] = {
            file: module for file, module in loaded.items() if module is not None
        }
        self.broken: list[Path] = [file for file, module in loaded.items() if module is None]
        for module in self.modules.values():
            self._by_name[_module_path(module.path).name].append(module)

    def _load(self, file: Path) -> Module | None:
        if file not in self._known:
            try:
                with tokenize.open(file) as stream:
                    self._known[file] = Module(file, ast.parse(stream.read()))
            except (OSError, SyntaxError, ValueError):
                self._known[file] = None
        return self._known[file]

    def find(self, dotted: str, importer: Module) -> Module | None:
        """Return the module that an import names, or None if it is not of the project."""
        if dotted.startswith("."):
            return self._find_relative(dotted, importer)
        parts = tuple(dotted.split("."))
        for folder in _import_folders(importer.path, self.root):
            found = self._load_module(folder.joinpath(*parts))
            if found is not None:
                return found
        fitting = [module for module in self._by_name[parts[-1]] if _is_named(module.path, parts)]
        return fitting[0] if fitting else None

    def _find_relative(self, dotted: str, importer: Module) -> Module | None:
        names = dotted.lstrip(".")
        folder = importer.path.parent
        for _ in range(len(dotted) - len(names) - 1):
            folder = folder.parent
        return self._load_module(folder.joinpath(*names.split(".")) if names else folder)

    def _load_module(self, path: Path) -> Module | None:
        return self._load(path / "__init__.py") or self._load(path.with_suffix(".py"))

    def resolve(
        self, dotted: str, module: Module, seen: frozenset[tuple[Path, str]] = frozenset()
    ) -> tuple[Module | None, str]:
        """Follow a name through imports to where it is defined.

        Returns:
            The module and the name in it; or None and the full name, outside of the project.
        """
        first, _, rest = dotted.partition(".")
        target = module.imports.get(first)
        if target is None or (module.path, dotted) in seen:
            return module, dotted
        full = f"{target}.{rest}" if rest else target
        if full.partition(".")[0] not in _FRAMEWORKS:
            for head, name in _splits(full):
                found = self.find(head, module)
                if found is not None and found is not module:
                    return self.resolve(name, found, seen | {(module.path, dotted)})
        return None, full


def _splits(full: str) -> Iterator[tuple[str, str]]:
    """Yield each way to split a name into a module and a name in it, the longest module first."""
    dots = full[: len(full) - len(full.lstrip("."))]
    names = full.lstrip(".").split(".")
    for count in range(len(names), -1 if dots else 0, -1):
        yield dots + ".".join(names[:count]), ".".join(names[count:])


def _module_path(file: Path) -> Path:
    return file.parent if file.name == "__init__.py" else file.with_suffix("")


def _is_named(file: Path, parts: tuple[str, ...]) -> bool:
    """Whether an absolute name can mean a file: it has all packages that the file lies in."""
    path = _module_path(file)
    if path.parts[-len(parts) :] != parts:
        return False
    depth, folder = 1, path.parent
    while depth <= len(parts) and (folder / "__init__.py").is_file():
        depth, folder = depth + 1, folder.parent
    return depth <= len(parts)


def _import_folders(file: Path, root: Path) -> Iterator[Path]:
    """Yield the folders above a file that absolute imports may start from, the nearest first."""
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            yield folder
        if folder == root:
            return


def dotted_name(expression: ast.expr) -> str | None:
    """Write `a.b.c` for such an expression, None for any other."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return None
    return ".".join([expression.id, *reversed(parts)])
