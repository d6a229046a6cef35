"""All listeners of SQLAlchemy 2, by the module that must be there first."""

from __future__ import annotations

from bgcheck.instrument.sqlalchemy_base import remove as remove
from bgcheck.instrument.sqlalchemy_connections import hook_core
from bgcheck.instrument.sqlalchemy_connections import server_state as server_state
from bgcheck.instrument.sqlalchemy_sessions import hook_asyncio, hook_orm

HOOKS = {
    "sqlalchemy": hook_core,
    "sqlalchemy.orm": hook_orm,
    "sqlalchemy.ext.asyncio": hook_asyncio,
}
