"""Leaves out of a program what it does not need."""

import ast
from typing import Any

_SHOWN = frozenset({"content", "json", "text", "read", "aread", "body", "iter_bytes"})


class Folding(ast.NodeTransformer):
    """Evaluates what is known, and writes calls in their short form."""

    def __init__(self, attributes: set[str]) -> None:
        self._attributes = attributes

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        """Choose where the test is known."""
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    def visit_If(self, node: ast.If) -> Any:
        """Choose where the test is known."""
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return (node.body if node.test.value else node.orelse) or None
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        """Choose where the first value is known."""
        self.generic_visit(node)
        while len(node.values) > 1 and isinstance(node.values[0], ast.Constant):
            first = node.values[0]
            if bool(first.value) is isinstance(node.op, ast.Or):
                return first
            node.values = node.values[1:]
        return node.values[0] if len(node.values) == 1 else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        """Turn a comparison round instead of negating it."""
        self.generic_visit(node)
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
                return ast.Constant(not value)
            case ast.UnaryOp(op=ast.Not(), operand=ast.UnaryOp(op=ast.Not(), operand=inner)):
                return inner
            case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[op]) as compared):
                other = _OTHERS.get(type(op))
                if other is not None:
                    compared.ops = [other()]
                    return compared
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        """Compare a constant with None."""
        self.generic_visit(node)
        match node:
            case ast.Compare(
                left=ast.Constant(value=a),
                ops=[ast.Is() | ast.IsNot() as op],
                comparators=[ast.Constant(value=None)],
            ):
                return ast.Constant((a is None) is isinstance(op, ast.Is))
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        """Join what is known of a text."""
        self.generic_visit(node)
        values: list[ast.expr] = []
        for part in node.values:
            match part:
                case ast.FormattedValue(value=ast.Constant(value=str(text)), conversion=-1):
                    values.append(ast.Constant(text))
                case ast.FormattedValue(value=ast.JoinedStr(values=inner), conversion=-1):
                    values += inner
                case _:
                    values.append(part)
        node.values = _joined(values)
        match node.values:
            case [ast.Constant()]:
                return node.values[0]
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        """Write a request by its method, without what goes without saying."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="str"), args=[ast.Constant(value=str())]):
                return node.args[0]
            case ast.Call(func=ast.Name(id="TestClient")):
                node.keywords = [k for k in node.keywords if ast.unparse(k) != "backend='asyncio'"]
            case ast.Call(func=ast.Name(id="SimpleNamespace")):
                node.keywords = [k for k in node.keywords if k.arg in self._attributes]
            case ast.Call(func=ast.Attribute(attr="request") as send, args=[method, *rest]):
                if ast.unparse(method) in ("'GET'", "'POST'", "'HEAD'") and not (
                    ast.unparse(method) == "'GET'"
                    and any(k.arg == "content" for k in node.keywords)
                ):
                    send.attr, node.args = ast.literal_eval(method).lower(), rest
            case ast.Call(func=ast.Lambda() as called, keywords=[]):
                return _reduced(called, node)
            case _:
                pass
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        """Drop the body of a response that nobody looks at."""
        self.generic_visit(node)
        unseen = node.returns is None and not self._attributes & _SHOWN and len(node.body) > 1
        if unseen and ast.unparse(node.body[-1]) == "return {'state': 'accepted'}":
            node.body.pop()
        return node


_OTHERS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    joined: list[ast.expr] = []
    for part in values:
        match joined, part:
            case [*_, ast.Constant(value=str(before)) as last], ast.Constant(value=str(text)):
                last.value = before + text
            case _:
                joined.append(part)
    return joined


def _reduced(called: ast.Lambda, call: ast.Call) -> ast.expr:
    """Return the body of a lambda that is called on the spot, with its arguments."""
    from .inlining import Substitute

    names = [argument.arg for argument in called.args.args]
    if len(names) != len(call.args) or called.args.defaults:
        return call
    if not all(isinstance(a, ast.Name | ast.Constant | ast.Attribute) for a in call.args):
        return call
    reduced: ast.expr = Substitute(dict(zip(names, call.args, strict=True))).visit(called.body)
    return reduced
