"""Puts a function that is called once in the place of its call."""

import ast
import copy
from collections import Counter
from typing import Any

from .scopes import (
    FUNCTIONS,
    SCOPES,
    Block,
    Use,
    blocks,
    bound,
    loaded,
    own,
    own_parts,
    uses,
    visible,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def inline_one(module: ast.Module) -> bool:
    """Inline one function of a program; return whether there was one."""
    names, counted = bound(module), loaded(module)
    found = {use.name.id: use for use in uses(module) if counted[use.name.id] == 1}
    for block, scope in blocks(module):
        for function in block:
            if isinstance(function, FUNCTIONS) and names[function.name] == 1:
                use = found.get(function.name)
                if function.decorator_list or use is None or _shadowed(function, use, scope):
                    continue
                if _inlined(function, use):
                    block.remove(function)
                    return True
    return False


def _shadowed(function: Function, use: Use, scope: ast.AST) -> bool:
    """Whether a name that a function takes from around it means something else at its use."""
    free = set(loaded(function)) - set(bound(function))
    between = [
        part
        for part in ast.walk(scope)
        if isinstance(part, SCOPES)
        and part is not scope
        and any(inner is use.statement for inner in ast.walk(part))
    ]
    return any(free & own(part) for part in between)


def _inlined(function: Function, use: Use) -> bool:
    """Inline a function at its use, or leave all as it is."""
    call = _call_of(function, use)
    if call is None or not _plain(function):
        return False
    body = copy.deepcopy(function.body)
    value: ast.expr = ast.Constant(None)
    chosen = _chosen(body)
    if chosen is not None:
        body, value = [], chosen
    elif isinstance(body[-1], ast.Return):
        value = body[-1].value or value
        body = body[:-1]
    if any(isinstance(part, ast.Return) for part in own_parts(ast.Module(body, []))):
        return False
    given = _given(function, call)
    if given is None or (body and not _placeable(use)):
        return False
    return _placed(function, use, body, value, given)


def _call_of(function: Function, use: Use) -> ast.expr | None:
    """Return the call of the function, with `await`, or None where it is not plainly called."""
    call = use.around[-1] if use.around else None
    if not isinstance(call, ast.Call) or call.func is not use.name:
        return None
    if any(part is use.statement for part in ast.walk(function)):
        return None
    if isinstance(function, ast.FunctionDef):
        return call
    outer = use.around[-2] if len(use.around) > 1 else None
    return outer if isinstance(outer, ast.Await) else None


def _plain(function: Function) -> bool:
    parts = list(own_parts(function))
    return not any(
        isinstance(part, ast.Yield | ast.YieldFrom | ast.Nonlocal | ast.Global) for part in parts
    )


def _chosen(body: Block) -> ast.expr | None:
    """Return the value of a function that only chooses between values."""
    match body:
        case [ast.Return(value=value)]:
            return value
        case [ast.If(test=test, body=[ast.Return(value=ast.expr() as first)], orelse=[]), *rest]:
            other = _chosen(rest)
            return ast.IfExp(test, first, other) if other is not None else None
        case _:
            return None


def _placeable(use: Use) -> bool:
    """Whether statements can stand before the statement with the call."""
    return not use.deferred


def _given(function: Function, node: ast.expr) -> dict[str, Any] | None:
    """Return what a call gives for each parameter."""
    call = node.value if isinstance(node, ast.Await) else node
    assert isinstance(call, ast.Call)
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    keywords = [a.arg for a in function.args.kwonlyargs]
    stars = any(isinstance(a, ast.Starred) for a in call.args)
    if stars or any(part.arg is None for part in call.keywords):
        return None
    given: dict[str, Any] = dict(zip(names, call.args, strict=False))
    if function.args.vararg is not None:
        given[function.args.vararg.arg] = call.args[len(names) :]
    elif len(call.args) > len(names):
        return None
    extra = []
    for part in call.keywords:
        if part.arg in names or part.arg in keywords:
            given[str(part.arg)] = part.value
        else:
            extra.append(part)
    if function.args.kwarg is not None:
        given[function.args.kwarg.arg] = extra
    elif extra:
        return None
    return _with_defaults(function, given)


def _with_defaults(function: Function, given: dict[str, Any]) -> dict[str, Any] | None:
    arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    defaults = function.args.defaults
    pairs = list(zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True))
    pairs += [
        (a.arg, d)
        for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if d is not None
    ]
    for name, default in pairs:
        given.setdefault(name, default)
    wanted = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    return given if wanted <= set(given) else None


def _placed(
    function: Function, use: Use, body: Block, value: ast.expr, given: dict[str, Any]
) -> bool:
    holder = ast.Module([*body, ast.Expr(value)], [])
    bindings = bound(holder)
    counted = loaded(holder)
    simple: dict[str, Any] = {}
    assigned: dict[str, ast.expr] = {}
    for name, argument in given.items():
        if isinstance(argument, list):
            if bindings[name]:
                return False
            simple[name] = argument
        elif _substitutable(name, argument, holder, bindings, counted):
            simple[name] = argument
        else:
            assigned[name] = argument
    if assigned and not _placeable(use):
        return False
    names = _renamed(function, use, holder, assigned, simple)
    Rename(names).visit(holder)
    Substitute(simple).visit(holder)
    before: Block = [
        ast.Assign([ast.Name(names.get(name, name), ast.Store())], argument)
        for name, argument in assigned.items()
    ]
    holder.body = [*before, *holder.body]
    last = holder.body.pop()
    assert isinstance(last, ast.Expr)
    _replace(use, function, last.value)
    number = use.block.index(use.statement)
    use.block[number:number] = holder.body
    _tidied(use, last.value)
    return True


def _substitutable(
    name: str, argument: ast.expr, holder: ast.Module, bindings: Counter[str], counted: Counter[str]
) -> bool:
    """Whether an argument can stand wherever the parameter is used."""
    if bindings[name] or (set(loaded(argument)) - set(bound(argument))) & set(bindings):
        return False
    if _simple(argument):
        return True
    if counted[name] != 1:
        return counted[name] == 0 and isinstance(argument, ast.Lambda)
    if isinstance(argument, ast.Lambda):
        return True
    (use,) = [use for use in uses(holder) if use.name.id == name]
    if _made_of_constants(argument):
        return True
    return not use.deferred and use.scope is holder and use.statement in holder.body


def _made_of_constants(node: ast.expr) -> bool:
    """Whether an argument is a new object of a class, the same wherever it is made."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return name[0].isupper() and all(isinstance(a, ast.Constant) for a in args)
        case _:
            return False


def _simple(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return _simple(node.value)
    return isinstance(node, ast.Name | ast.Constant)


def _renamed(
    function: Function,
    use: Use,
    holder: ast.Module,
    assigned: dict[str, ast.expr],
    simple: dict[str, Any],
) -> dict[str, str]:
    """Return other names for what the call's scope has already."""
    taken = visible(use.scope, function) - {function.name}
    wanted = (own(holder) | set(assigned)) - set(simple)
    names: dict[str, str] = {}
    last = holder.body[-1]
    match use.statement, last:
        case (
            ast.Assign(targets=[ast.Name(id=target)], value=value),
            ast.Expr(value=ast.Name(id=kept)),
        ) if (
            (value is use.around[0] or value is getattr(use, "call", None))
            and kept in wanted
            and target not in set(loaded(holder)) - {kept}
        ):
            names[kept] = target
        case _:
            pass
    for name in sorted(wanted & taken):
        if name not in names:
            names[name] = next(f"{name}_{n}" for n in range(2, 99) if f"{name}_{n}" not in taken)
    return names


def _replace(use: Use, function: Function, value: ast.expr) -> None:
    """Put the value in the place of the call."""
    depth = 1 if isinstance(function, ast.FunctionDef) else 2
    call = use.around[-depth]
    parent = use.around[-depth - 1] if len(use.around) > depth else use.statement
    for field, old in ast.iter_fields(parent):
        if old is call:
            setattr(parent, field, value)
        elif isinstance(old, list):
            for number, part in enumerate(old):
                if part is call:
                    old[number] = value


def _tidied(use: Use, value: ast.expr) -> None:
    """Drop the statement where nothing of it is left."""
    match use.statement:
        case ast.Expr(value=ast.Constant() | ast.Name()):
            use.block.remove(use.statement)
        case ast.Assign(targets=[ast.Name(id=a)], value=ast.Name(id=b)) if a == b:
            use.block.remove(use.statement)
        case _:
            pass


class Substitute(ast.NodeTransformer):
    """Puts arguments in the place of parameters."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> Any:
        """Replace a parameter."""
        if isinstance(node.ctx, ast.Load) and node.id in self._given:
            given = copy.deepcopy(self._given[node.id])
            return ast.Tuple(given, ast.Load()) if isinstance(given, list) else given
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        """Replace `*args` and `**kwargs` by what was given for them."""
        args: list[ast.expr] = []
        for argument in node.args:
            match argument:
                case ast.Starred(value=ast.Name(id=name)) if name in self._given:
                    args += copy.deepcopy(self._given[name])
                case _:
                    args.append(argument)
        keywords: list[ast.keyword] = []
        for part in node.keywords:
            match part:
                case ast.keyword(arg=None, value=ast.Name(id=name)) if name in self._given:
                    keywords += copy.deepcopy(self._given[name])
                case _:
                    keywords.append(part)
        node.args, node.keywords = args, keywords
        self.generic_visit(node)
        return node


class Rename(ast.NodeTransformer):
    """Gives names other names."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> Any:
        """Rename a variable."""
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Rename a function."""
        return self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        """Rename a coroutine function."""
        return self._definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        """Rename a class."""
        return self._definition(node)

    def _definition(self, node: Any) -> Any:
        names = own(node)
        inner = Rename({k: v for k, v in self._names.items() if k not in names})
        node.name = self._names.get(node.name, node.name)
        for field, value in ast.iter_fields(node):
            parts = value if isinstance(value, list) else [value]
            visitor = inner if field == "body" else self
            for part in parts:
                if isinstance(part, ast.AST):
                    visitor.visit(part)
        return node
