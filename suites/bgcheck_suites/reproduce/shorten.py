"""Rewrites the code of a probe: without the suites' machinery where it can, and without checks."""

import ast
from typing import Any

from .definitions import Function

CHECKS = frozenset({"in_order", "before", "times", "never"})
PLACES = frozenset({"lab", "in_process"})
SETTLING = frozenset({"settle", "end", "answered"})
COMPLETE = "response complete"
_OWN = frozenset(
    {"Log", "Lab", "InProcess", "OnServer", "Observe", "Gate", "Exchange", "Call", "Event"}
)
_RESPONSE = {"status": "status_code", "body": "content"}


class TooRichError(Exception):
    """A probe that uses more of the machinery than the short form has."""


class Tidy(ast.NodeTransformer):
    """Drops what only readers and type checkers of the suites need."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Drop the docstring and a return annotation without effect."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        """Drop the same of a coroutine function."""
        return self._function(node)

    def _function(self, node: Any) -> Any:
        self.generic_visit(node)
        _drop_docstring(node)
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg) and _of_the_suites(argument.annotation):
                argument.annotation = None
        yields = any(isinstance(part, ast.Yield) for part in ast.walk(node))
        if ast.unparse(node.returns or ast.Constant(None)) == "None" or (
            not node.decorator_list and (yields or _of_the_suites(node.returns))
        ):
            node.returns = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Drop the docstring, and keep the annotations of fields."""
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        kept = {id(part) for part in fields}
        node.body = [part if id(part) in kept else self.visit(part) for part in node.body]
        _drop_docstring(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Drop the annotation of a variable."""
        self.generic_visit(node)
        return ast.Assign([node.target], node.value, lineno=0) if node.value else None

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """Drop pytest's own variable."""
        self.generic_visit(node)
        return None if ast.unparse(node.targets[0]) == "__tracebackhide__" else node

    def visit_Call(self, node: ast.Call) -> Any:
        """Let a finding be an AssertionError, and a missing capability end the script."""
        self.generic_visit(node)
        match node.func:
            case ast.Name(id="Contradiction"):
                node.func = ast.Name("AssertionError", ast.Load())
            case ast.Name(id="NotApplicable" | "NotTestable"):
                node.func = ast.Name("SystemExit", ast.Load())
        return node


def _of_the_suites(annotation: ast.expr | None) -> bool:
    """Whether an annotation names a class of the suites' machinery."""
    return annotation is not None and any(
        isinstance(part, ast.Name) and part.id in _OWN for part in ast.walk(annotation)
    )


def _drop_docstring(node: Function | ast.ClassDef) -> None:
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:] or [ast.Pass()]


class Shorten(ast.NodeTransformer):
    """Replaces log and lab by a list of events and Starlette's TestClient.

    Raises TooRichError where they are used in other ways.
    """

    def __init__(self, *, watched: bool) -> None:
        self.watched = watched
        self.required: list[str] = []
        self._responses: set[str] = {"exchange"}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Drop the parameters that the machinery came by."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        """Drop the same of a coroutine function."""
        return self._function(node)

    def _function(self, node: Any) -> Any:
        given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        machinery = [argument for argument in given if _machinery(argument)]
        if any(argument in node.args.kwonlyargs for argument in machinery):
            raise TooRichError("a keyword argument")
        node.args.args = [a for a in node.args.args if a not in machinery]
        node.body = [kept for kept in map(self.visit, node.body) if kept is not None]
        node.body = node.body or [ast.Pass()]
        node.args = self.visit(node.args)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop a check, and keep in words what it requires."""
        match node.value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=name)) if (
                name in CHECKS
            ):
                self.required.append(f"{name}({', '.join(map(ast.unparse, node.value.args))})")
                return None
            case ast.Call(func=ast.Name(id="same"), args=[_, observed, required]):
                shown = ast.Constant(f"{ast.unparse(observed)}:")
                self.required.append(f"{ast.unparse(observed)} == {ast.unparse(required)}")
                return ast.Expr(_call("print", shown, self.visit(observed)))
        node.value = self.visit(node.value)
        return None if isinstance(node.value, ast.Name) else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Note which names are responses."""
        if isinstance(node.targets[0], ast.Name) and _sends(node.value):
            self._responses.add(node.targets[0].id)
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Refuse a machine that is handed on, or kept."""
        if node.id in {"log", "lab", "in_process", "Log"} and isinstance(node.ctx, ast.Load):
            raise TooRichError(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replace the log's own functions, and the names of a response's parts."""
        match node:
            case ast.Attribute(value=ast.Name(id="log"), attr="mark" | "mark_async"):
                return ast.Name(node.attr, ast.Load())
            case ast.Attribute(value=ast.Name(id="log"), attr="count"):
                return ast.Attribute(ast.Name("events", ast.Load()), "count", ast.Load())
            case ast.Attribute(value=ast.Attribute(attr="call", value=inner), attr="error"):
                self._need_watching()
                return ast.Attribute(self.visit(inner), "error", ast.Load())
            case ast.Attribute(attr="call" | "told"):
                raise TooRichError(node.attr)
        if self._is_response(node.value) and node.attr in _RESPONSE:
            node.attr = _RESPONSE[node.attr]
        self.generic_visit(node)
        return node

    def _is_response(self, node: ast.AST) -> bool:
        return _sends(node) or (isinstance(node, ast.Name) and node.id in self._responses)

    def visit_Call(self, node: ast.Call) -> Any:
        """Replace a request and what waits for it."""
        match node.func:
            case ast.Attribute(attr=name, value=inner) if name in SETTLING:
                return self.visit(inner)
            case ast.Attribute(attr="root_errors", value=inner):
                self._need_watching()
                return _call("roots", ast.Attribute(self.visit(inner), "error", ast.Load()))
            case ast.Attribute(attr="send", value=ast.Name(id=place)) if place in PLACES:
                return self._request(node)
        node.args = [argument for argument in node.args if not _bare(argument)]
        self.generic_visit(node)
        return node

    def _need_watching(self) -> None:
        if not self.watched:
            raise TooRichError("the errors of an app")

    def _request(self, node: ast.Call) -> ast.AST:
        app, *rest = [self.visit(argument) for argument in node.args]
        options: dict[str, Any] = {str(part.arg): self.visit(part.value) for part in node.keywords}
        if self.watched or set(options) - {"method"}:
            self._need_watching()
            return _call("send", app, *rest, **options)
        method = options.get("method", ast.Constant("GET"))
        if not isinstance(method, ast.Constant):
            raise TooRichError("a method that is not a constant")
        client = _call("TestClient", app, raise_server_exceptions=ast.Constant(False))
        send = ast.Attribute(client, str(method.value).lower(), ast.Load())
        path = rest or [ast.Constant("/")]
        return ast.Call(send, path, [ast.keyword("follow_redirects", ast.Constant(False))])


def _machinery(argument: ast.arg) -> bool:
    wanted = ast.unparse(argument.annotation) if argument.annotation else ""
    return (argument.arg, wanted) in {
        ("log", "Log"),
        ("lab", "Lab"),
        ("lab", "InProcess"),
        ("in_process", "InProcess"),
        ("observe", "Observe"),
    }


def _bare(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"log", "lab", "in_process", "observe"}


def _sends(node: ast.AST) -> bool:
    """Whether an expression is a request, with or without what waits for it."""
    match node:
        case ast.Call(func=ast.Attribute(attr="send", value=ast.Name(id=place))):
            return place in PLACES
        case ast.Call(func=ast.Attribute(attr=name, value=inner)) if name in SETTLING:
            return _sends(inner)
        case _:
            return False


def _call(name: str, *args: ast.expr, **keywords: ast.expr) -> ast.Call:
    named = [ast.keyword(key, value) for key, value in keywords.items()]
    return ast.Call(ast.Name(name, ast.Load()), list(args), named)
