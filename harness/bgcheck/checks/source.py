"""The source of functions, as far as it can be read."""

from __future__ import annotations

import ast
import functools
import linecache
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

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
def tree_of(file: str) -> ast.Module | None:
    """Return the syntax tree of a source file, or None if it cannot be had."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


@functools.lru_cache(maxsize=64)
def _functions(file: str) -> tuple[Function, ...]:
    tree = tree_of(file)
    return tuple(node for node in ast.walk(tree or ast.Module([], [])) if _is_function(node))


def _is_function(node: ast.AST) -> TypeGuard[Function]:
    return isinstance(node, _FUNCTIONS)


def nodes_in_functions(file: str) -> Iterator[ast.AST]:
    """Yield the nodes of a file that only run when a function is called.

    Args:
        file: a source file.
    """
    for function in _functions(file):
        for statement in function.body:
            yield from ast.walk(statement)


def _first_line(node: Function) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def called_name(node: ast.Call) -> str | None:
    """Return the last name of what is called: `reader` for `csv.reader(...)`."""
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", None)
