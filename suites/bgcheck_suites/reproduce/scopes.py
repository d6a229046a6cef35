"""Where names of a program are bound and used."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Block = list[ast.stmt]


@dataclass(frozen=True)
class Use:
    """One use of a name: its node, the nodes around it, the statement and where that stands.

    `deferred` says that it may be evaluated later, often or never.
    """

    name: ast.Name
    around: tuple[ast.AST, ...]
    statement: ast.stmt
    block: Block
    scope: ast.AST
    deferred: bool


def blocks(node: ast.AST, scope: ast.AST | None = None) -> Iterator[tuple[Block, ast.AST]]:
    """Yield every list of statements, with the function or module that it belongs to."""
    scope = node if scope is None or isinstance(node, (*FUNCTIONS, ast.ClassDef)) else scope
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield value, scope
            for statement in value:
                yield from blocks(statement, scope)
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, ast.ExceptHandler | ast.match_case):
                    yield from blocks(part, scope)


def uses(module: ast.AST) -> Iterator[Use]:
    """Yield every use of a name."""
    for block, scope in blocks(module):
        for statement in block:
            for part in ast.iter_child_nodes(statement):
                if not isinstance(part, ast.stmt | ast.ExceptHandler | ast.match_case):
                    deferred = isinstance(statement, ast.While)
                    for name, around, later in _names(part, (), deferred):
                        yield Use(name, around, statement, block, scope, later)


def _names(
    node: ast.AST, around: tuple[ast.AST, ...], deferred: bool
) -> Iterator[tuple[ast.Name, tuple[ast.AST, ...], bool]]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node, around, deferred
    for number, part in enumerate(_children(node)):
        later = deferred or isinstance(node, ast.Lambda)
        later = later or (isinstance(node, _COMPREHENSIONS) and number > 0)
        later = later or (isinstance(node, ast.IfExp | ast.BoolOp) and number > 0)
        yield from _names(part, (*around, node), later)


def _children(node: ast.AST) -> list[ast.AST]:
    """Return the parts of an expression, the one that is evaluated first at the front."""
    if isinstance(node, _COMPREHENSIONS):
        first = node.generators[0]
        return [
            first.iter,
            *(p for p in ast.iter_child_nodes(node) if p is not first),
            first.target,
            *first.ifs,
        ]
    return list(ast.iter_child_nodes(node))


def bound(node: ast.AST) -> Counter[str]:
    """Count how often each name is bound, anywhere in a part of a program."""
    found: Counter[str] = Counter()
    for part in ast.walk(node):
        match part:
            case ast.Name(ctx=ast.Store() | ast.Del(), id=name) | ast.arg(arg=name):
                found[name] += 1
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found[name] += 1
            case ast.ClassDef(name=name):
                found[name] += 1
            case ast.ExceptHandler(name=str(name)):
                found[name] += 1
            case ast.alias(name=name, asname=other):
                found[other or name.split(".")[0]] += 1
            case _:
                continue
    return found


def loaded(node: ast.AST) -> Counter[str]:
    """Count how often each name is used, anywhere in a part of a program."""
    found = Counter(
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)
    )
    for part in ast.walk(node):
        if isinstance(part, ast.arg) and isinstance(part.annotation, ast.Constant):
            found.update(loaded(ast.parse(str(part.annotation.value))))
        if isinstance(part, ast.Global | ast.Nonlocal):
            found.update(part.names)
    return found


def own(scope: ast.AST) -> set[str]:
    """Return the names that a function or module binds itself."""
    found = {a.arg for a in _arguments(scope)}
    for part in _own_parts(scope):
        match part:
            case ast.Name(ctx=ast.Store(), id=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.split(".")[0])
            case _:
                continue
    return found


def visible(scope: ast.AST, without: ast.AST) -> set[str]:
    """Return the names that a scope binds, or that functions in it take from around them."""
    skipped = {id(part) for part in ast.walk(without)} | {id(scope)}
    found = own(scope)
    for part in ast.walk(scope):
        if isinstance(part, SCOPES) and id(part) not in skipped:
            found |= set(loaded(part)) - set(bound(part))
    return found


def own_parts(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a function, without the functions and classes in it."""
    yield from _own_parts(scope)


def _own_parts(scope: ast.AST) -> Iterator[ast.AST]:
    for part in ast.iter_child_nodes(scope):
        yield part
        if not isinstance(part, (*SCOPES, *_COMPREHENSIONS)):
            yield from _own_parts(part)


def _arguments(scope: ast.AST) -> Iterator[ast.arg]:
    if isinstance(scope, (*FUNCTIONS, ast.Lambda)):
        yield from (part for part in ast.walk(scope.args) if isinstance(part, ast.arg))
