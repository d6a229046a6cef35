"""BG4: sessions and connections of SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgcheck.checks.database_concurrency import SessionUsedConcurrently
from bgcheck.checks.database_connections import (
    ConnectionHeld,
    ConnectionLeak,
    ConnectionOfOtherLoop,
    PoolExhaustedByRequest,
)
from bgcheck.checks.database_idle import IdleInTransaction
from bgcheck.checks.database_requests import (
    OverrideBypassed,
    OverrideLeftBehind,
    TaskBeforeCommit,
)
from bgcheck.checks.database_sessions import (
    DetachedInstance,
    MissingCommit,
    PoisonedSession,
    SessionUsedAfterClose,
)

if TYPE_CHECKING:
    from bgcheck.checks.base import Check

CHECKS: tuple[type[Check], ...] = (
    ConnectionLeak,
    SessionUsedAfterClose,
    DetachedInstance,
    SessionUsedConcurrently,
    ConnectionHeld,
    IdleInTransaction,
    PoolExhaustedByRequest,
    MissingCommit,
    PoisonedSession,
    TaskBeforeCommit,
    ConnectionOfOtherLoop,
    OverrideBypassed,
    OverrideLeftBehind,
)
"""The checks: each sees events from `bgcheck.events` and yields findings. Imports no framework."""
