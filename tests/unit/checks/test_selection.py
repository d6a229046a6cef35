"""Which checks are on, and which findings fail."""

from __future__ import annotations

import pytest

from bgcheck.checks.base import Check
from bgcheck.checks.selection import Selection, best_match


class Error(Check):
    """An error."""

    code = "BG301"
    default = "E"


class Warned(Check):
    """A warning."""

    code = "BG302"
    default = "W"


class OptIn(Check):
    """Opt-in."""

    code = "BG311"
    default = "O"


@pytest.mark.parametrize(
    ("select", "ignore", "on"),
    [
        ((), (), [Error, Warned]),
        (("DEFAULT",), (), [Error, Warned]),
        (("ALL",), (), [Error, Warned, OptIn]),
        (("BG3",), (), [Error, Warned, OptIn]),
        (("BG31",), (), [OptIn]),
        (("DEFAULT", "BG311"), (), [Error, Warned, OptIn]),
        (("BG2",), (), []),
        ((), ("BG302",), [Error]),
        ((), ("BG3",), []),
        ((), ("ALL",), []),
        (("BG301",), ("BG3",), [Error]),
        (("BG3",), ("BG301",), [Warned, OptIn]),
        (("BG301",), ("BG301",), []),
        (("ALL",), ("BG30",), [OptIn]),
    ],
)
def test_has(select: tuple[str, ...], ignore: tuple[str, ...], on: list[type[Check]]) -> None:
    selection = Selection(select, ignore)
    assert [check for check in (Error, Warned, OptIn) if selection.has(check)] == on


@pytest.mark.parametrize(
    ("select", "failing"),
    [
        ((), [Error]),
        (("ALL",), [Error, Warned, OptIn]),
        (("BG302",), [Error, Warned]),
        (("DEFAULT", "BG31"), [Error, OptIn]),
    ],
)
def test_fails(select: tuple[str, ...], failing: list[type[Check]]) -> None:
    selection = Selection(select)
    checks = (Error, Warned, OptIn)
    assert [check for check in checks if selection.fails(check.code, check.default)] == failing


@pytest.mark.parametrize(
    ("patterns", "longest"),
    [(["BG3", "BG30"], "BG30"), (["ALL"], ""), (["DEFAULT"], None), ([], None), (["BG2"], None)],
)
def test_best_match(patterns: list[str], longest: str | None) -> None:
    assert best_match("BG301", patterns) == longest


def test_check_refuses_what_matches_nothing() -> None:
    with pytest.raises(ValueError, match="'BG999' matches no check"):
        Selection(("BG1",), ("BG999",)).check()
