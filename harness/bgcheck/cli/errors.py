"""What the command says when it is asked for something that it cannot do."""

from importlib.util import find_spec


class UsageError(Exception):
    """A request that cannot be carried out; the message says what to do instead."""


def need(command: str, extra: str, *modules: str) -> None:
    """Require that modules are installed; `a|b` is satisfied by either.

    Raises UsageError, with the command that installs them, where one is missing.
    """
    missing = [
        module.replace("|", " or ")
        for module in modules
        if not any(find_spec(name) for name in module.split("|"))
    ]
    if missing:
        raise UsageError(
            f"`bgcheck {command}` needs {' and '.join(missing)}, not installed here; install with: "
            f"python -m pip install 'bgcheck[{extra}]'"
        )
