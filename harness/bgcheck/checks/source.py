"""The source of functions, as far as it can be read."""

from __future__ import annotations

import ast
import functools
import linecache
from typing import Final

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def function_at(file: str, line: int) -> Function | None:
    """Return the innermost function that a line is in, with its decorators; None if unknown.

    Args:
        file: a source file.
        line: counted from 1.
    """
    found = None
    for node in _functions(file):
        if _first_line(node) <= line <= (node.end_lineno or node.lineno):
            found = node  # walk comes to the inner ones later
    return found


@functools.lru_cache(maxsize=64)
def _functions(file: str) -> tuple[Function, ...]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))


def _first_line(node: Function) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def called_name(node: ast.Call) -> str | None:
    """Return the last name of what is called: `reader` for `csv.reader(...)`."""
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", None)
