"""What the checks of BG4 say where there is no SQLAlchemy 2."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from bgcheck.checks.database import CHECKS
from bgcheck.checks.database_base import DatabaseCheck
from bgcheck.instrument import sqlalchemy as instrument
from bgcheck.instrument.patches import is_patched

needs_sqlalchemy = [check for check in CHECKS if issubclass(check, DatabaseCheck)]


@pytest.mark.parametrize("check", needs_sqlalchemy, ids=lambda check: check.code)
def test_not_imported(monkeypatch: pytest.MonkeyPatch, check: type[DatabaseCheck]) -> None:
    monkeypatch.delitem(sys.modules, "sqlalchemy")
    assert check().absent() == "SQLAlchemy was not imported"


def test_old_version(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("sqlalchemy")
    old.__version__ = "1.4.54"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sqlalchemy", old)
    assert instrument.absence() == "it needs SQLAlchemy 2, and this is 1.4.54"
    instrument.install()
    instrument.uninstall()


def test_present() -> None:
    assert instrument.absence() is None


def test_all_is_taken_back() -> None:
    """Also where a session of bgcheck is under way around this one."""
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import QueuePool

    def state() -> tuple[object, ...]:
        listeners = sys.modules.get("bgcheck.instrument.sqlalchemy_base")
        listening = len(listeners._listening) if listeners is not None else 0
        return Session.close, Session.__init__, QueuePool._do_get, listening

    before = state()
    instrument.install()
    assert is_patched(Session.close)
    assert is_patched(Session.__init__)
    assert is_patched(QueuePool._do_get)
    instrument.uninstall()
    assert state() == before
