"""Rewrites the code of a probe: lists and functions where it uses log, lab and checks."""

import ast
from typing import Any

from .machinery import (
    LABS,
    asserted,
    call_of,
    client_of,
    drop_docstring,
    is_bare,
    is_exchange,
    is_log,
    is_log_events,
    is_machinery,
    is_self,
    keywords_of,
    marks_more,
    of_the_suites,
    running,
    sends,
    sent,
    to_server,
    without_effect,
)

ERRORS, COMPLETE, DETAILS, SERVER = "errors", "response complete", "details", "server"
REDIRECTS = "redirects"
_SERVERS = frozenset({"OnServer", "own_server", "on_server", "uvicorn_server"})
_PARTS = {"status": "status_code", "body": "content"}


class Rewriting(ast.NodeTransformer):
    """Replaces the machinery of the suites; `found` says what the program needs of it.

    What a program needs is known only at its end: it is rewritten again until `needs` has it all.
    """

    def __init__(self, needs: frozenset[str]) -> None:
        self.needs = needs
        self.found: set[str] = set(needs)

    # Functions and classes lose what the machinery came by.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Drop the parameters that the machinery came by."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        """Drop the same of a coroutine function."""
        return self._function(node)

    def _function(self, node: Any) -> Any:
        drop_docstring(node)
        arguments = node.args
        arguments.args = [a for a in arguments.args if not is_machinery(a)]
        for argument in [*arguments.args, *arguments.kwonlyargs]:
            if of_the_suites(argument.annotation) or without_effect(argument, node):
                argument.annotation = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        returns = node.returns and ast.unparse(node.returns)
        if not node.decorator_list or of_the_suites(node.returns) or returns in ("None", "Any"):
            node.returns = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Drop the docstring, and the fields for the log."""
        drop_docstring(node)
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        dropped = [part for part in fields if is_log(part.target)]
        kept = {id(part) for part in fields if node.bases or node.decorator_list}
        parts = [part for part in node.body if part not in dropped]
        visited: list[Any] = [part if id(part) in kept else self.visit(part) for part in parts]
        node.body = [part for part in visited if part is not None] or [ast.Pass()]
        return node

    # Statements.

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """Drop the annotation of a variable."""
        if node.value is None:
            return None
        return self.visit(ast.Assign([node.target], node.value, lineno=0))

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Drop what keeps the log, and pytest's own variable."""
        target = node.targets[0]
        if ast.unparse(target) == "__tracebackhide__" or (is_log(target) and is_log(node.value)):
            return None
        if is_log(target) and ast.unparse(node.value) == "Log()":
            return ast.Expr(call_of("events.clear"))
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> Any:
        """Replace a contradiction by an assertion."""
        match node:
            case ast.If(body=[ast.Raise(exc=ast.Call(func=ast.Name(id="Contradiction")) as made)]):
                if not node.orelse:
                    test = ast.UnaryOp(ast.Not(), self.visit(node.test))
                    return ast.Assert(test, self.visit(made.args[0]))
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Replace a check by an assertion."""
        match node.value:
            case ast.Call(func=ast.Attribute(value=log, attr=name), args=labels) if is_log(log):
                test = asserted(name, [self.visit(label) for label in labels])
                if test is not None:
                    return ast.Assert(test, ast.Name("events", ast.Load()))
            case ast.Call(func=ast.Name(id="same"), args=[fact, observed, required]):
                seen = self.visit(observed)
                test = ast.Compare(seen, [ast.Eq()], [self.visit(required)])
                calls = any(isinstance(part, ast.Call) for part in ast.walk(seen))
                return ast.Assert(test, fact if calls else seen)
            case ast.Call(func=ast.Attribute(attr="settle" | "answered")):
                return self._status_checked(node.value)
        node.value = self.visit(node.value)
        return None if isinstance(node.value, ast.Name) else node

    def _status_checked(self, node: ast.Call) -> Any:
        """Replace a request whose status is required, by the shortest statement that does it."""
        assert isinstance(node.func, ast.Attribute)
        request = self.visit(node)
        if SERVER in self.needs:
            return ast.Expr(request)
        if not node.args and node.func.attr == "settle" and sends(node.func.value):
            return ast.Expr(
                ast.Call(ast.Attribute(request, "raise_for_status", ast.Load()), [], [])
            )
        status = node.args[0] if node.args else ast.Constant(200)
        observed = ast.Attribute(request, "status_code", ast.Load())
        return ast.Assert(ast.Compare(observed, [ast.Eq()], [status]))

    # Expressions.

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Note that the end of the response matters."""
        if isinstance(node.value, str) and COMPLETE in node.value:
            self.found.add(COMPLETE)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Note that a server matters."""
        if node.id in _SERVERS:
            self.found.add(SERVER)
        if node.id == "RedirectResponse":
            self.found.add(REDIRECTS)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """Go through events as through labels."""
        self.generic_visit(node)
        return node

    def visit_ListComp(self, node: ast.ListComp) -> Any:
        """Let labels stand for the events that a comprehension goes through."""
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> Any:
        """Let labels stand for events."""
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> Any:
        """Let labels stand for events."""
        return self._comprehension(node)

    def _comprehension(self, node: Any) -> Any:
        first = node.generators[0]
        if is_log_events(first.iter):
            node = _Labels(first.target.id).visit(node)
            if isinstance(node, ast.ListComp) and not first.ifs and isinstance(node.elt, ast.Name):
                return call_of("list", ast.Name("events", ast.Load()))
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """Replace the parts of the log, of its events, and of a response."""
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Attribute(attr="first"), args=[label])):
                if node.attr == "label":
                    return self.visit(label)
                if node.attr == "number":
                    return call_of("events.index", self.visit(label))
        if is_log(node.value) and node.attr in ("mark", "mark_async", "wait", "events"):
            return self._part_of_log(node.attr)
        if node.attr == "error" and getattr(node.value, "attr", "") == "call":
            assert isinstance(node.value, ast.Attribute)
            self.found.add(ERRORS)
            return ast.Attribute(self.visit(node.value.value), "error", ast.Load())
        node.value = self.visit(node.value)
        if SERVER not in self.needs and node.attr in _PARTS and not is_self(node.value):
            node.attr = _PARTS[node.attr]
        if node.attr == "server" and SERVER in self.needs:
            return node.value
        if node.attr == "open" and ast.unparse(node.value).endswith("gate"):
            node.attr = "set"
        return node

    def _part_of_log(self, name: str) -> ast.AST:
        if name == "mark_async" and DETAILS in self.needs:
            name = "mark_details_async"
        if name == "mark" and DETAILS not in self.needs:
            return ast.Attribute(ast.Name("events", ast.Load()), "append", ast.Load())
        return ast.Name(name, ast.Load())

    def visit_Call(self, node: ast.Call) -> Any:
        """Replace what is called of the machinery."""
        match node.func:
            case ast.Name(id=name):
                made = self._function_called(node, name)
            case ast.Attribute(value=inner, attr=name):
                made = self._method_called(node, inner, name)
            case _:
                made = None
        return self._plain_call(node) if made is None else made

    def _function_called(self, node: ast.Call, name: str) -> Any:
        match name, node.args:
            case "run_task", [lab, *task]:
                return self.visit(running(lab, task, node.keywords))
            case "observe", [value]:
                return call_of("print", self.visit(value))
            case "on_trio", [app, *_]:
                return call_of("on_trio", self._completing(self.visit(app)))
            case "Gate", _:
                return call_of("threading.Event")
            case "NotApplicable", [reason]:
                parts = [ast.Constant("not applicable: "), ast.FormattedValue(reason, -1)]
                return call_of("SystemExit", ast.JoinedStr(parts))
            case "Call", [app, _]:
                self.found.add(COMPLETE)
                return call_of("completing", self.visit(app))
            case "scheduling_app", [schedule]:
                return call_of(name, self.visit(schedule), call_of("FastAPI"))
            case _:
                return None

    def _method_called(self, node: ast.Call, inner: ast.expr, name: str) -> Any:
        owner = ast.unparse(inner)
        if is_log(inner) and name == "count":
            return call_of("events.count", *map(self.visit, node.args))
        if is_log(inner) and name == "first":
            self.found.add(DETAILS)
            label = self.visit(node.args[0])
            return ast.Subscript(ast.Name("details", ast.Load()), label, ast.Load())
        if name == "send" and owner in LABS:
            return self._request(node, strict=False)
        if name == "client" and owner in ("in_process", "InProcess"):
            return self._test_client(node)
        if (owner, name) == ("monkeypatch", "setattr"):
            return call_of("setattr", *map(self.visit, node.args))
        return self._of_response(inner, name)

    def _completing(self, app: ast.expr) -> ast.expr:
        """Let an app record when its response is complete, where that matters."""
        return call_of("completing", app) if COMPLETE in self.needs else app

    def visit_With(self, node: ast.With) -> Any:
        """Let a connection be closed at the end of a block."""
        self.generic_visit(node)
        for item in node.items:
            if ast.unparse(item.context_expr).endswith(".connect()"):
                item.context_expr = call_of("closing", item.context_expr)
        node.body = node.body or [ast.Pass()]
        return node

    def _plain_call(self, node: ast.Call) -> ast.Call:
        node.args = [argument for argument in node.args if not is_bare(argument)]
        if SERVER in self.needs and to_server(node.func):
            node.args[0] = self._completing(node.args[0])
        node.keywords = [part for part in node.keywords if not is_bare(part.value)]
        if marks_more(node):
            self.found.add(DETAILS)
        for part in node.keywords:
            if part.arg == "payload":
                part.arg, part.value = "content", call_of("json.dumps", part.value)
                part.value = ast.Call(ast.Attribute(part.value, "encode", ast.Load()), [], [])
        self.generic_visit(node)
        return node

    def _of_response(self, inner: ast.expr, name: str) -> Any:
        """Replace what waits for a response, and what tells of it."""
        if (
            name in ("told", "root_errors")
            and not is_self(inner)
            and ast.unparse(inner) != "tracing"
        ):
            if name == "told" and not (sends(inner) or is_exchange(inner)):
                return None
            self.found.add(ERRORS)
            if name == "told":
                return call_of("told", self.visit(inner))
            return call_of("roots", ast.Attribute(self.visit(inner), "error", ast.Load()))
        if SERVER in self.needs or name not in ("settle", "end", "answered"):
            return None
        if name == "settle" and sends(inner):
            return self._request(sent(inner), strict=True)
        return self.visit(inner)

    def _request(self, node: ast.Call, *, strict: bool) -> ast.AST:
        app, *path = [self.visit(argument) for argument in node.args]
        options = {str(part.arg): self.visit(part.value) for part in node.keywords}
        if "payload" in options:
            options["json"] = options.pop("payload")
        if REDIRECTS in self.needs:
            options["follow_redirects"] = ast.Constant(False)
        app = self._completing(app)
        if ERRORS in self.needs and not strict:
            return call_of("request", app, *path, **options)
        method = options.pop("method", ast.Constant("GET"))
        path = path or [ast.Constant("/")]
        client = client_of(app, strict=strict)
        if isinstance(method, ast.Constant) and "content" not in options:
            send = ast.Attribute(client, str(method.value).lower(), ast.Load())
            return ast.Call(send, path, keywords_of(options))
        send = ast.Attribute(client, "request", ast.Load())
        return ast.Call(send, [method, *path], keywords_of(options))

    def _test_client(self, node: ast.Call) -> ast.AST:
        options = {str(part.arg): self.visit(part.value) for part in node.keywords}
        strict = options.pop("raise_errors", None) is not None
        client = client_of(self.visit(node.args[0]), strict=strict)
        client.keywords += keywords_of(options)
        return client


class _Labels(ast.NodeTransformer):
    """Lets the name of an event stand for its label."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replace `event.label` and `event.number`."""
        if isinstance(node.value, ast.Name) and node.value.id == self._name:
            if node.attr == "label":
                return node.value
            if node.attr == "number":
                return call_of("events.index", node.value)
        self.generic_visit(node)
        return node
