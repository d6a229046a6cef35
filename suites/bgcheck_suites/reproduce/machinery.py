"""What the machinery of the suites looks like in the code of a probe."""

import ast
from collections.abc import Sequence
from typing import Any

from .definitions import Function

LABS = frozenset({"lab", "in_process"})
_MACHINES = frozenset({"log", "observe", *LABS})
_OWN = frozenset({"Log", "Lab", "InProcess", "OnServer", "Observe", "Gate", "Exchange", "Call"})


def asserted(name: str, labels: Sequence[ast.expr]) -> ast.expr | None:
    """Return what must be true of `events` where a check of the log holds."""
    a, b, *_ = [*map(ast.unparse, labels), "", ""]
    names = ", ".join(map(ast.unparse, labels))
    text = {
        "in_order": f"[e for e in events if e in ({names},)] == [{names}]",
        "before": f"events.index({a}) < events.index({b})" if b else "",
        "times": f"events.count({a}) == {b}",
        "never": f"{a} not in events",
    }.get(name)
    return ast.parse(text, mode="eval").body if text else None


def running(lab: ast.expr, task: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
    """Return a request to an app with one task."""
    added = ast.Call(ast.Attribute(ast.Name("tasks", ast.Load()), "add_task", ast.Load()), task, [])
    added.keywords = keywords
    given = ast.arguments([], [ast.arg("tasks")], None, [], [], None, [])
    app = call_of("scheduling_app", ast.Lambda(given, added))
    send = ast.Attribute(lab, "send", ast.Load())
    return ast.Call(ast.Attribute(ast.Call(send, [app], []), "end", ast.Load()), [], [])


def sends(node: ast.AST) -> bool:
    """Whether an expression is a request, with or without what waits for it."""
    match node:
        case ast.Call(func=ast.Attribute(attr="send", value=ast.Name(id=lab))):
            return lab in LABS
        case ast.Call(func=ast.Name(id="run_task")):
            return True
        case ast.Call(func=ast.Attribute(attr="settle" | "end" | "answered", value=inner)):
            return sends(inner)
        case _:
            return False


def sent(node: ast.AST) -> ast.Call:
    """Return the request without what waits for it."""
    match node:
        case ast.Call(func=ast.Attribute(attr="settle" | "end" | "answered", value=inner)):
            return sent(inner)
        case ast.Call(func=ast.Name(id="run_task"), args=[lab, *task], keywords=keywords):
            return sent(running(lab, task, keywords))
        case _:
            assert isinstance(node, ast.Call)
            return node


def is_exchange(node: ast.expr) -> bool:
    """Whether an expression is the response to a request."""
    return ast.unparse(node) in ("exchange", "response") or "on_trio" in ast.unparse(node)


def client_of(app: ast.expr, *, strict: bool) -> ast.Call:
    """Return a test client for an app; a strict one raises what the app raises."""
    quiet: dict[str, Any] = {} if strict else {"raise_server_exceptions": ast.Constant(False)}
    return call_of("TestClient", app, **quiet)


def call_of(name: str, *args: Any, **keywords: Any) -> ast.Call:
    """Return a call of a function, by its name."""
    called = ast.parse(name, mode="eval").body
    return ast.Call(called, list(args), keywords_of(keywords))


def keywords_of(options: dict[str, Any]) -> list[ast.keyword]:
    """Return the keywords of a call."""
    return [ast.keyword(name, value) for name, value in options.items()]


def is_log(node: ast.AST) -> bool:
    """Whether an expression is the log, by whatever way."""
    return (isinstance(node, ast.Name) and node.id == "log") or (
        isinstance(node, ast.Attribute) and node.attr in ("log", "counted")
    )


def to_server(node: ast.expr) -> bool:
    """Whether a call sends a request to a real server."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("send", "start")
        and ast.unparse(node.value) in ("on_server", "place", "connection", "uvloop_server")
    )


def marks_more(node: ast.Call) -> bool:
    """Whether a call marks an event with more than its label, or hands that on."""
    parts = [node.func, *node.args]
    if any(is_log(getattr(keyword.value, "value", node)) for keyword in node.keywords):
        return True
    for number, part in enumerate(parts):
        if isinstance(part, ast.Attribute) and part.attr == "mark" and is_log(part.value):
            return bool(len(parts) - number != 2 or node.keywords)
    return False


def is_log_events(node: ast.AST) -> bool:
    """Whether an expression is the list of events of the log."""
    return isinstance(node, ast.Attribute) and node.attr == "events" and is_log(node.value)


def is_self(node: ast.AST) -> bool:
    """Whether an expression is the object of a method."""
    return isinstance(node, ast.Name) and node.id == "self"


def is_bare(node: ast.expr) -> bool:
    """Whether an argument only hands the machinery on."""
    return (isinstance(node, ast.Name) and node.id in _MACHINES) or is_log(node)


def is_machinery(argument: ast.arg) -> bool:
    """Whether a parameter is one that the machinery came by."""
    return argument.arg in _MACHINES and of_the_suites(argument.annotation)


_OF_ASGI = frozenset({"ASGIApp", "Message", "Receive", "RequestResponseEndpoint", "Scope", "Send"})


def without_effect(argument: ast.arg, function: Function) -> bool:
    """Whether FastAPI does not look at an annotation."""
    wanted = {a.arg: ast.unparse(a.annotation) for a in function.args.args if a.annotation}
    if function.decorator_list:
        return False
    return wanted.get(argument.arg) in {*_OF_ASGI, "Any"} or "call_next" in wanted


def of_the_suites(annotation: ast.expr | None) -> bool:
    """Whether an annotation names a class of the suites' machinery."""
    return annotation is not None and any(
        isinstance(part, ast.Name) and part.id in _OWN for part in ast.walk(annotation)
    )


def drop_docstring(node: Function | ast.ClassDef) -> None:
    """Drop the docstring of a function or class."""
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:] or [ast.Pass()]
