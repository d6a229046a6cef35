"""Read in the source whether a loop tries the same again or goes through data, and its bound."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from bgcheck.checks.handlers import Handler, is_retry, path_to, walk
from bgcheck.checks.source import called_name, function_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.recorder.record import Site

_COUNTERS: Final = frozenset({"range", "count"})
_ENDLESS: Final = frozenset({"count", "cycle", "repeat"})
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LEAVES: Final = (ast.Break, ast.Return, ast.Raise)


def goes_through_data(site: Site) -> bool:
    """Whether a line is in a loop whose turns are about different data."""
    function = function_at(site.file, site.line)
    if function is None:
        return False
    path = list(path_to(function, site.line))
    return _is_in_comprehension(path[0], site.line) or any(
        _is_over_data(node) for node in path if isinstance(node, (ast.For, ast.AsyncFor))
    )


def _is_in_comprehension(statement: ast.AST, line: int) -> bool:
    return any(
        isinstance(node, _COMPREHENSIONS) and node.lineno <= line <= (node.end_lineno or line)
        for node in ast.walk(statement)
    )


def _is_over_data(loop: ast.For | ast.AsyncFor) -> bool:
    """Whether a turn does something with what the loop is at, other than to count or to wait."""
    names = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    counts = isinstance(loop.iter, ast.Call) and called_name(loop.iter) in _COUNTERS
    return any(isinstance(node, ast.Name) and node.id in names for node in _data_of(loop, counts))


def _data_of(loop: ast.For | ast.AsyncFor, counts: bool) -> Iterator[ast.AST]:
    """Yield the nodes of a turn that may use data: of a counter, only what it indexes."""
    if not counts:
        yield from _without_waiting(loop.body)
        return
    for node in _without_waiting(loop.body):
        if isinstance(node, ast.Subscript):
            yield from ast.walk(node.slice)


def _without_waiting(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield nodes outside of handlers, of what a `with` enters, and of calls that wait."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.ExceptHandler, ast.withitem)):
            continue
        if isinstance(node, ast.Call) and called_name(node) == "sleep":
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def unbounded_loop(handler: Handler) -> ast.stmt | None:
    """Return the loop in which a handler has the same tried again without end, or None."""
    loop = next(
        (node for node in handler.around if isinstance(node, (ast.For, ast.AsyncFor, ast.While))),
        None,
    )
    if loop is None or any(isinstance(node, _LEAVES) for node in walk(handler.body)):
        return None
    if isinstance(loop, ast.While):
        endless = _is_endless(loop.test, handler)
    else:
        endless = isinstance(loop.iter, ast.Call) and called_name(loop.iter) in _ENDLESS
        endless = endless and is_retry(handler)
    return None if not endless or _has_bound(loop) else loop


def _is_endless(test: ast.expr, handler: Handler) -> bool:
    """Whether a condition is always true, or is false only after a success."""
    if isinstance(test, ast.Constant):
        return bool(test.value) and is_retry(handler)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _has_bound(loop: ast.stmt) -> bool:
    """Whether something is compared in the loop, such as a count or the time, and it is left."""
    return any(
        isinstance(node, ast.If)
        and any(isinstance(part, ast.Compare) for part in ast.walk(node.test))
        and any(isinstance(part, _LEAVES) for part in walk([*node.body, *node.orelse]))
        for node in walk([loop])
    )
