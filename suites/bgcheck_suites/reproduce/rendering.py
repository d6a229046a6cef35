"""Writes a program down, so that every supported Python can read it."""

import ast
from collections.abc import Iterator
from typing import Any

from .scopes import FUNCTIONS


def render(module: ast.Module) -> str:
    """Return the text of a program, with its imports at the top."""
    imports = [node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in module.body if node not in imports]
    lines = [*_imports(imports), ""]
    for node in rest:
        text = ast.unparse(ast.fix_missing_locations(Portable().visit(node)))
        apart = isinstance(node, (ast.ClassDef, *FUNCTIONS))
        lines += ["", text, ""] if apart else [text]
    return _without_double_blanks("\n".join(lines).splitlines())


def _imports(nodes: list[Any]) -> Iterator[str]:
    """Join the imports from one module."""
    sources: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            sources.setdefault(str(node.module), set()).update(map(ast.unparse, node.names))
    plain = {ast.unparse(a) for n in nodes if isinstance(n, ast.Import) for a in n.names}
    if plain:
        yield from (f"import {name}" for name in sorted(n for n in plain if " as " in n))
        names = ", ".join(sorted(n for n in plain if " as " not in n))
        yield f"import {names}"
    for module in sorted(sources):
        yield f"from {module} import {', '.join(sorted(sources[module]))}"


def _without_double_blanks(lines: list[str]) -> str:
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept).strip() + "\n"


class Portable(ast.NodeTransformer):
    """Rewrites texts that Python 3.10 and 3.11 could not read as `ast.unparse` writes them."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        """Write a text with quotes in its values by `format`."""
        quoted = any(
            isinstance(part, ast.Constant | ast.JoinedStr) and part is not node
            for value in node.values
            if isinstance(value, ast.FormattedValue)
            for part in ast.walk(value.value)
        )
        self.generic_visit(node)
        return _formatted(node) if quoted else node


def _formatted(node: ast.JoinedStr) -> ast.expr:
    text = ""
    values: list[ast.expr] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            shown = "" if part.conversion == -1 else f"!{chr(part.conversion)}"
            spec = ast.literal_eval(ast.unparse(part.format_spec)) if part.format_spec else ""
            text += "{" + shown + (f":{spec}" if spec else "") + "}"
            values.append(part.value)
        else:
            assert isinstance(part, ast.Constant)
            text += str(part.value).replace("{", "{{").replace("}", "}}")
    return ast.Call(ast.Attribute(ast.Constant(text), "format", ast.Load()), values, [])
