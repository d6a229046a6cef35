"""What a script does where pytest would hand a fixture to the probe."""

import ast

from .definitions import resolve

_SHORT = frozenset({"lab", "in_process", "log", "observe"})
_KNOWN = {
    "log": "log = Log()",
    "observe": "",
    "lab": "lab = InProcess(log)",
    "in_process": "in_process = InProcess(log)",
    "uvicorn_server": "uvicorn_server = stack.enter_context(running_server())",
    "on_server": "on_server = OnServer(log, uvicorn_server); stack.callback(on_server.close)",
    "tmp_path": "tmp_path = Path(stack.enter_context(TemporaryDirectory()))",
    "monkeypatch": "monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())",
}
_NEEDS = {"lab": ["log"], "in_process": ["log"], "on_server": ["log", "uvicorn_server"]}


def _names(node: ast.stmt) -> list[str]:
    assert isinstance(node, ast.FunctionDef)
    return [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]


def takes_fixtures(node: ast.stmt) -> bool:
    """Whether a probe takes more than log, lab and observe."""
    return bool(set(_names(node)) - _SHORT)


def bindings_of(probe: ast.FunctionDef, module: str) -> list[ast.stmt]:
    """Return the statements that make the probe's arguments, run it, and print the events."""
    lines: list[str] = []
    values = _parameters(probe)
    for name in [*_names(probe), "log"]:
        _prepare(name, module, values, lines)
    call = f"{probe.name}({', '.join(_names(probe))})"
    show = 'print("events:", [event.label for event in log.events])'
    body = [line for line in lines if line]
    text = "\n    ".join([*body, "try:", f"    {call}", "finally:", f"    {show}"])
    return ast.parse(f"with ExitStack() as stack:\n    {text}").body


def _parameters(probe: ast.FunctionDef) -> dict[str, str]:
    """Return the first value of each parameter that pytest varies."""
    found: dict[str, str] = {}
    for decorator in probe.decorator_list:
        match decorator:
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[names, values, *_]):
                given = [name.strip() for name in str(ast.literal_eval(names)).split(",")]
                first = f"list({ast.unparse(values)})[0]"
                for number, name in enumerate(given):
                    found[name] = first if len(given) == 1 else f"{first}[{number}]"
            case _:
                continue
    return found


def _prepare(name: str, module: str, values: dict[str, str], lines: list[str]) -> None:
    made = f"{name} = "
    if any(line.startswith(made) for line in lines):
        return
    if name in values:
        lines.append(f"{name} = {values[name]}")
    elif name in _KNOWN:
        for needed in _NEEDS.get(name, ()):
            _prepare(needed, module, values, lines)
        lines.append(_KNOWN[name])
    else:
        _prepare_own(name, module, values, lines)


def _prepare_own(name: str, module: str, values: dict[str, str], lines: list[str]) -> None:
    """Make a fixture of the probe's module; a generator is left when the script ends."""
    definition = resolve(module, name)
    if definition is None or not isinstance(definition.node, ast.FunctionDef):
        raise LookupError(f"{module}: no fixture {name}")
    for needed in _names(definition.node):
        _prepare(needed, module, values, lines)
    given = ", ".join(_names(definition.node))
    yields = any(isinstance(part, ast.Yield) for part in ast.walk(definition.node))
    made = f"stack.enter_context(contextmanager({name})({given}))" if yields else f"{name}({given})"
    lines.append(f"{name} = {made}")
