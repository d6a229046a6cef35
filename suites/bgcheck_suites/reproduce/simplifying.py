"""Makes a program short: puts functions where they are called, leaves out what is unused."""

import ast
import copy
from collections import Counter
from typing import Any

from .folding import Folding
from .inlining import Rename, Substitute, inline_one
from .scopes import FUNCTIONS, Block, blocks, bound, loaded, own, own_parts, uses

_ROUNDS = 60
_MARKS = frozenset({"events.append", "mark", "mark_async", "mark_details_async"})
_WIDTH = 96


def simplified(program: list[ast.stmt]) -> ast.Module:
    """Return a program that does the same, shorter; the probe's body is at its end."""
    module = ast.fix_missing_locations(ast.Module(_lifted(program), []))
    for _ in range(_ROUNDS):
        before = ast.dump(module)
        _specialise(module)
        module = Folding(_attributes(module)).visit(module)
        _drop_unused(module)
        _fill(module)
        if not inline_one(module) and not _merge_one(module) and ast.dump(module) == before:
            break
    labels = _labels(module)
    return _PlainOrders(labels).visit(module) if labels else module


def _labels(module: ast.Module) -> set[str]:
    """Return the labels of all events; none where one is not a constant."""
    found: set[str] = set()
    marks = 0
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        parts = [call.func, *call.args]
        for mark, label in zip(parts, [*parts[1:], None], strict=True):
            if ast.unparse(mark) in _MARKS and isinstance(label, ast.Constant):
                found.add(str(label.value))
                marks += 1
    used = sum(ast.unparse(n) in _MARKS for n in ast.walk(module) if isinstance(n, ast.expr))
    return found if marks == used else set()


class _PlainOrders(ast.NodeTransformer):
    """Compares all events with what is required, where nothing else can happen."""

    def __init__(self, labels: set[str]) -> None:
        self._labels = labels

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        match node:
            case ast.Compare(
                left=ast.ListComp(generators=[ast.comprehension(iter=ast.Name(id="events"))]),
                ops=[ast.Eq()],
                comparators=[ast.List(elts=required)],
            ) if self._labels <= {e.value for e in required if isinstance(e, ast.Constant)}:
                node.left = ast.Name("events", ast.Load())
        return node


def _attributes(module: ast.Module) -> set[str]:
    return {part.attr for part in ast.walk(module) if isinstance(part, ast.Attribute)}


def _lifted(program: list[ast.stmt]) -> list[ast.stmt]:
    """Put the bodies of the probes at the end of the program, outside of functions."""
    lifted: list[ast.stmt] = []
    taken = {name for node in program for name in _defined(node)}
    for node in program:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            other = {name: f"{name}_2" for name in own(node) & taken}
            Rename(other).visit(ast.Module(node.body, []))
            body = None if _quoted(node) else _straight(node.body)
            if body is None:
                lifted += [node, ast.Expr(ast.Call(ast.Name(node.name, ast.Load()), [], []))]
            else:
                lifted += [_Globals().visit(part) for part in body]
        else:
            lifted.append(node)
    return lifted


def _defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement outside of functions binds."""
    return own(ast.Module([node], []))


class _Globals(ast.NodeTransformer):
    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        return ast.Global(node.names)


def _quoted(node: ast.AST) -> bool:
    """Whether an annotation is a string, and so depends on where the function is."""
    return any(
        isinstance(part, ast.arg) and isinstance(part.annotation, ast.Constant)
        for part in ast.walk(node)
    )


def _straight(body: Block) -> Block | None:
    """Return a body that ends without `return`; None where that cannot be."""
    made: Block = []
    for number, node in enumerate(copy.deepcopy(body)):
        match node:
            case ast.Return(value=value):
                return made if value is None else [*made, ast.Expr(value)]
            case ast.If(body=[*_, ast.Return()], orelse=[]):
                first, rest = _straight(node.body), _straight(body[number + 1 :])
                if first is None or rest is None:
                    return None
                node.body, node.orelse = first, rest
                return [*made, node]
        if any(isinstance(part, ast.Return) for part in own_parts(ast.Module([node], []))):
            return None
        made.append(node)
    return made


def _fill(module: ast.Module) -> None:
    """Give a body to what has lost its own."""
    for node in ast.walk(module):
        if getattr(node, "body", None) == []:
            setattr(node, "body", [ast.Pass()])  # noqa: B010
    ast.fix_missing_locations(module)


def _drop_unused(module: ast.Module) -> None:
    """Drop definitions and values that nothing uses."""
    counted = loaded(module)
    for block, scope in list(blocks(module)):
        for node in [] if isinstance(scope, ast.ClassDef) else list(block):
            if isinstance(node, ast.Import | ast.ImportFrom):
                node.names = [a for a in node.names if counted[a.asname or a.name.split(".")[0]]]
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if not (
                    counted[name] or _pure(value)
                ):
                    block[block.index(node)] = ast.Expr(value)
                case _ if _unused(node, counted) or (isinstance(node, ast.Pass) and block[1:]):
                    block.remove(node)
                case _:
                    continue


def _unused(node: ast.stmt, counted: Counter[str]) -> bool:
    """Whether nothing needs a statement, by how often each name is used."""
    match node:
        case (
            ast.FunctionDef(decorator_list=[], name=name)
            | ast.AsyncFunctionDef(decorator_list=[], name=name)
            | ast.ClassDef(name=name)
        ):
            return counted[name] == loaded(node)[name]
        case ast.Assign(targets=[ast.Name(id=name)]):
            return not counted[name]
        case ast.Import(names=[]) | ast.ImportFrom(names=[]):
            return True
        case ast.Expr(value=value):
            return _pure(value) and not isinstance(value, ast.Yield)
        case _:
            return False


def _pure(value: ast.expr) -> bool:
    return not any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(value))


def _merge_one(module: ast.Module) -> bool:
    """Put a value that the next statement alone uses there, where the line stays short."""
    names, counted = bound(module), loaded(module)
    for use in uses(module):
        name = use.name.id
        number = use.block.index(use.statement)
        if use.deferred or names[name] != 1 or counted[name] != 1 or not number:
            continue
        match use.block[number - 1]:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                head = ast.unparse(use.statement).splitlines()[0]
                if len(head) + len(ast.unparse(value)) > _WIDTH:
                    continue
                Substitute({name: value}).visit(use.statement)
                del use.block[number - 1]
                return True
    return False


def _specialise(module: ast.Module) -> None:
    """Drop the parameters of helpers that no call gives."""
    names = bound(module)
    for function in [node for node in module.body if isinstance(node, FUNCTIONS)]:
        found = [use for use in uses(module) if use.name.id == function.name]
        calls = [use.around[-1] for use in found if use.around]
        plain = [c for c in calls if isinstance(c, ast.Call) and _without_stars(c)]
        direct = [c for c, use in zip(plain, found, strict=False) if c.func is use.name]
        known = names[function.name] == 1 and not function.decorator_list and found
        if known and len(direct) == len(found):
            _without_defaults(function, direct)


def _without_stars(call: ast.Call) -> bool:
    return not any(isinstance(a, ast.Starred) for a in call.args) and all(
        k.arg is not None for k in call.keywords
    )


def _without_defaults(function: Any, calls: list[ast.Call]) -> None:
    arguments = function.args
    most = max(len(call.args) for call in calls)
    named = {keyword.arg for call in calls for keyword in call.keywords}
    given: dict[str, Any] = {}
    own = bound(ast.Module(function.body, []))
    while arguments.defaults and len(arguments.args) > most:
        last = arguments.args[-1].arg
        if last in named or own[last]:
            break
        arguments.args.pop()
        given[last] = arguments.defaults.pop()
    known = {a.arg for a in (*arguments.args, *arguments.kwonlyargs)}
    if arguments.kwarg is not None and not named - known:
        given[arguments.kwarg.arg] = []
        arguments.kwarg = None
    function.body = [Substitute(given).visit(part) for part in function.body]
