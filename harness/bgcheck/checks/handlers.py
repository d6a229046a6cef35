"""Read in the source which handler took an exception, and what it does with it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgcheck.checks.source import called_name, function_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgcheck.checks.source import Function
    from bgcheck.recorder.record import Site

_BROAD: Final = frozenset({"Exception", "BaseException"})
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)

Tried = ast.Try | ast.With | ast.AsyncWith


@dataclass(frozen=True)
class Handler:
    """What took an exception: a clause of a `try`, or a `suppress`.

    Attributes:
        line: its line.
        text: how it is written.
        names: the last names of the classes it takes; a bare `except` takes `BaseException`.
        body: the statements of the clause; none for a `suppress`.
        around: the statements around it, innermost first, up to the function.
        tried: the whole statement.
    """

    line: int
    text: str
    names: tuple[str, ...]
    body: tuple[ast.stmt, ...]
    around: tuple[ast.AST, ...]
    tried: Tried

    @property
    def is_broad(self) -> bool:
        """Whether it takes whatever comes."""
        return not _BROAD.isdisjoint(self.names)

    @property
    def raises(self) -> bool:
        """Whether there is a `raise` in it."""
        return any(isinstance(node, ast.Raise) for node in walk(self.body))


def handler_of(site: Site, handler_line: int, kinds: Sequence[str]) -> Handler | None:
    """Find the handler that took an exception.

    Args:
        site: the line that the exception came from, in the function that handles it.
        handler_line: the line of the handlers.
        kinds: the names of the classes of the exception.

    Returns:
        None where no handler took it, such as in a `finally`, or where it cannot be told.
    """
    function = function_at(site.file, site.line)
    if function is None:
        return None
    path = list(path_to(function, site.line))
    for index, node in enumerate(path):
        found = _taken_by(node, site.line, handler_line, kinds, tuple(path[index + 1 :]))
        if found is not None:
            return found
    return None


def path_to(function: Function, line: int) -> Iterator[ast.AST]:
    """Yield the statements that a line is in, innermost first, the function last."""
    path: list[ast.AST] = [function]
    node: ast.AST | None = function
    while node is not None:
        node = next((inner for inner in _blocks(node) if holds(inner, line)), None)
        if node is not None:
            path.append(node)
    yield from reversed(path)


def _blocks(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements and clauses right below a statement."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield child


def holds(node: ast.AST, line: int) -> bool:
    """Whether a line is in a statement."""
    if isinstance(node, ast.match_case):
        return any(holds(inner, line) for inner in node.body)
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return bool(first <= line <= last)


def _taken_by(
    node: ast.AST, line: int, handler_line: int, kinds: Sequence[str], around: tuple[ast.AST, ...]
) -> Handler | None:
    if isinstance(node, ast.Try) and _is_in(node.body, line) and node.handlers:
        first = node.handlers[0]
        if first.lineno <= handler_line <= first.body[0].lineno:
            return _clause_for(node, kinds, around)
    if isinstance(node, (ast.With, ast.AsyncWith)) and _is_in(node.body, line):
        in_head = node.lineno <= handler_line < node.body[0].lineno
        if in_head or handler_line == node.lineno:
            return _suppress_in(node, around)
    return None


def _is_in(body: Sequence[ast.stmt], line: int) -> bool:
    return any(holds(statement, line) for statement in body)


def _clause_for(node: ast.Try, kinds: Sequence[str], around: tuple[ast.AST, ...]) -> Handler | None:
    """Return the first clause that takes an exception of these classes, by their names."""
    for clause in node.handlers:
        names = tuple(_names(clause.type)) if clause.type is not None else ("BaseException",)
        if not set(names).isdisjoint(kinds):
            text = f"except {ast.unparse(clause.type)}" if clause.type is not None else "except"
            return Handler(clause.lineno, text, names, tuple(clause.body), around, node)
        if any(name.isupper() for name in names):
            return None  # a constant that may hold any classes
    return None


def _suppress_in(node: ast.With | ast.AsyncWith, around: tuple[ast.AST, ...]) -> Handler | None:
    for item in node.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and called_name(call) == "suppress":
            names = tuple(name for argument in call.args for name in _names(argument))
            return Handler(node.lineno, ast.unparse(call), names, (), around, node)
    return None


def _names(expression: ast.expr) -> Iterator[str]:
    """Yield the last names of the classes in an `except`; of a call, the name of the function."""
    if isinstance(expression, ast.Tuple):
        for element in expression.elts:
            yield from _names(element)
    elif isinstance(expression, ast.Call):
        yield called_name(expression) or "?"
    elif isinstance(expression, ast.Attribute):
        yield expression.attr
    elif isinstance(expression, ast.Name):
        yield expression.id


def walk(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of statements, without those of functions and classes in them."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _FUNCTIONS):
            yield node
            waiting += ast.iter_child_nodes(node)


def drops(handler: Handler, *, result_is_dropped: bool) -> bool:
    """Whether a handler lets the exception go without a trace.

    Args:
        handler: the handler.
        result_is_dropped: nobody reads what the function returns.
    """
    return (
        all(_does_nothing(statement, result_is_dropped) for statement in handler.body)
        and not any(isinstance(node, ast.ExceptHandler) for node in handler.around)
        and not _is_in_finally(handler)
        and not _is_seen_by_result(handler)
        and not is_retry(handler)
    )


def _does_nothing(statement: ast.stmt, result_is_dropped: bool) -> bool:
    if isinstance(statement, (ast.Pass, ast.Continue, ast.Break)):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if not isinstance(statement, ast.Return):
        return False
    value = statement.value
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return True
    return result_is_dropped and isinstance(value, ast.Constant)


def _is_in_finally(handler: Handler) -> bool:
    """Whether it is about cleaning up after something else."""
    return any(
        isinstance(node, ast.Try) and _is_in(node.finalbody, handler.line)
        for node in handler.around
    )


def _is_seen_by_result(handler: Handler) -> bool:
    """Whether a name that only a success sets is read afterwards."""
    tried = handler.tried
    bound = {
        node.id
        for node in walk(tried.body)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    end = tried.end_lineno or tried.lineno
    return any(
        isinstance(node, ast.Name) and node.id in bound and node.lineno > end
        for node in walk(_body_of(handler.around[-1]))
    )


def _body_of(function: ast.AST) -> list[ast.stmt]:
    body: list[ast.stmt] = getattr(function, "body", [])
    return body


def is_retry(handler: Handler) -> bool:
    """Whether it is in a loop that a success leaves, and the exception does not."""
    loop = next((node for node in handler.around if isinstance(node, _LOOPS)), None)
    if loop is None or any(isinstance(each, (ast.Break, ast.Return)) for each in handler.body):
        return False
    tried = handler.tried
    after = [each for each in loop.body if each.lineno > (tried.end_lineno or tried.lineno)]
    success = [*tried.body, *getattr(tried, "orelse", ()), *after]
    return any(isinstance(node, (ast.Break, ast.Return)) for node in walk(success))
