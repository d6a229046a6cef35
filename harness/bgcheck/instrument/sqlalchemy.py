"""Listen to SQLAlchemy 2 when it is imported. Imports nothing of it."""

from __future__ import annotations

import contextvars
import importlib
import sys
from typing import TYPE_CHECKING

from bgcheck.instrument.hub import current_request, current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from types import ModuleType

    from bgcheck.recorder.database import ConnectionInfo

_MODULES = ("sqlalchemy", "sqlalchemy.orm", "sqlalchemy.ext.asyncio")
_LISTENERS = "bgcheck.instrument.sqlalchemy_listeners"

_hooks = ImportHooks()
_users = Users()


@_users.first
def install() -> None:
    """Listen to what is imported and what will be; each call needs one of `uninstall`."""
    _hooks.install(dict.fromkeys(_MODULES, _listen))


@_users.last
def uninstall() -> None:
    """Stop listening once the last user is gone."""
    _hooks.uninstall()
    listeners = sys.modules.get(_LISTENERS)
    if listeners is not None:
        listeners.remove()


def absence() -> str | None:
    """Tell why nothing can be seen of SQLAlchemy in this process, or None."""
    module = sys.modules.get("sqlalchemy")
    if module is None:
        return "SQLAlchemy was not imported"
    if not _is_known(module):
        return f"it needs SQLAlchemy 2, and this is {getattr(module, '__version__', 'unknown')}"
    return None


def server_state(connection: ConnectionInfo) -> str | None:
    """Return what a PostgreSQL server says of a connection; None if it can't be asked."""
    return contextvars.copy_context().run(_server_state, connection)


def _server_state(connection: ConnectionInfo) -> str | None:
    current_task.set(None)  # what follows is not the task's
    current_request.set(None)
    listeners = sys.modules.get(_LISTENERS)
    state: str | None = hub.guard(listeners.server_state, connection) if listeners else None
    return state


def _is_known(module: ModuleType) -> bool:
    major = str(getattr(module, "__version__", "")).partition(".")[0]
    return major.isdecimal() and int(major) >= 2


def _listen(module: ModuleType) -> None:
    hub.guard(_listen_now, module)


def _listen_now(module: ModuleType) -> None:
    if _is_known(sys.modules["sqlalchemy"]):
        importlib.import_module(_LISTENERS).HOOKS[module.__name__](module)
