"""What a script does where pytest would hand a fixture or a parameter to the probe."""

import ast
import copy

from .definitions import Definition, resolve

_DROPPED = frozenset({"lab", "in_process", "log", "observe"})
_KNOWN = {
    "on_server": "on_server = OnServer()",
    "tmp_path": "tmp_path = Path(tempfile.mkdtemp())",
    "monkeypatch": "",
}


def with_fixtures(probe: Definition) -> list[ast.stmt]:
    """Return the body of a probe after the statements that make its arguments."""
    lines: dict[str, list[ast.stmt]] = {}
    values = _parameters(probe.node)
    for name in _names(probe.node):
        _prepare(name, probe.module, values, lines)
    assert isinstance(probe.node, ast.FunctionDef)
    body: list[ast.stmt] = copy.deepcopy(probe.node.body)
    for statement in reversed([statement for part in lines.values() for statement in part]):
        if isinstance(statement, ast.With) and not statement.body:
            statement.body = body
            body = [statement]
        else:
            body = [statement, *body]
    return body


def _names(node: ast.stmt) -> list[str]:
    assert isinstance(node, ast.FunctionDef)
    given = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
    return [name for name in given if name not in _DROPPED]


def _parameters(node: ast.stmt) -> dict[str, str]:
    """Return the last value of each parameter that pytest varies."""
    assert isinstance(node, ast.FunctionDef)
    found: dict[str, str] = {}
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr="parametrize"), args=[ast.Constant(value=name), values, *_]
            ):
                chosen = values.elts[-1] if isinstance(values, ast.List) else None
                text = ast.unparse(chosen) if chosen else f"{ast.unparse(values)}[-1]"
                found[str(name)] = f"{name!s} = {text}"
            case _:
                continue
    return found


def _prepare(
    name: str, module: str, values: dict[str, str], lines: dict[str, list[ast.stmt]]
) -> None:
    if name in lines:
        return
    known = {**_KNOWN, **values}
    if name in known:
        lines[name] = ast.parse(known[name]).body
        return
    definition = resolve(module, name)
    if definition is None or not isinstance(definition.node, ast.FunctionDef):
        raise LookupError(f"{module}: no fixture {name}")
    for needed in _names(definition.node):
        _prepare(needed, module, values, lines)
    lines[name] = _body(name, definition.node)


def _body(name: str, node: ast.FunctionDef) -> list[ast.stmt]:
    """Return the body of a fixture up to its value, which gets the fixture's name.

    A block that the value is yielded from is left empty: it is for all that comes after.
    """
    made: list[ast.stmt] = []
    for statement in copy.deepcopy(node.body[1:] if ast.get_docstring(node) else node.body):
        match statement:
            case ast.Return(value=value) | ast.Expr(value=ast.Yield(value=value)):
                if value is not None and ast.unparse(value) != name:
                    made.append(ast.Assign([ast.Name(name, ast.Store())], value))
                return made
            case ast.With(items=[item], body=[ast.Expr(value=ast.Yield())]):
                item.optional_vars = ast.Name(name, ast.Store())
                statement.body = []
                return [*made, statement]
            case _:
                made.append(statement)
    return made
