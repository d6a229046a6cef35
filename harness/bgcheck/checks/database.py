"""BG4: sessions and connections of SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgcheck.checks.base import Check

CHECKS: tuple[type[Check], ...] = ()
