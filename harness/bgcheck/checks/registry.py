"""All checks by code. A family's module is imported only when one of its checks is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgcheck.checks.base import Check

FAMILIES: dict[str, str] = {
    "BG1": "scheduling",
    "BG2": "outcome",
    "BG3": "arguments",
    "BG4": "database",
    "BG5": "event_loop",
}
"""The module in `bgcheck.checks` of each family; its `CHECKS` lists the classes."""


def checks_of(family: str) -> tuple[type[Check], ...]:
    """Return the checks of one family, by code."""
    module = importlib.import_module(f"bgcheck.checks.{FAMILIES[family]}")
    checks: tuple[type[Check], ...] = module.CHECKS
    return checks


def all_checks() -> Iterator[type[Check]]:
    """Yield every check there is, by code."""
    for family in FAMILIES:
        yield from checks_of(family)


def find_check(code: str) -> type[Check] | None:
    """Return the check with this code, or None."""
    if code[:3] not in FAMILIES:
        return None
    return next((check for check in checks_of(code[:3]) if check.code == code), None)


def valid_codes() -> str:
    """List what select, ignore and the marker take, for a message."""
    codes = ", ".join(check.code for check in all_checks())
    return f"{codes}; a prefix such as BG3; ALL; DEFAULT"


def check_pattern(pattern: str) -> None:
    """Refuse a code or prefix that no check has.

    Raises:
        ValueError: the pattern matches no check; the message lists the valid ones.
    """
    if pattern in ("ALL", "DEFAULT"):
        return
    is_prefix = pattern.startswith("BG") and len(pattern) <= 5
    if not is_prefix or not any(check.code.startswith(pattern) for check in all_checks()):
        raise ValueError(f"{pattern!r} matches no check. Valid are: {valid_codes()}.")
