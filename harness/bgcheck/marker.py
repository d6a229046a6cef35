"""The marker `@pytest.mark.bgcheck(...)`: what it takes, checked where a test begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgcheck.config import as_codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgcheck.runner.blocks import Mode

MODES: Final = ("inline", "hold", "drop")
CLOCKS: Final = ("real", "virtual")


@dataclass(frozen=True)
class Marks:
    """What the markers of one test say.

    Attributes:
        ignore: codes and prefixes of checks that are off, of all its markers.
        mode: how its tasks run, or None; the innermost marker counts.
        clock: `real`, `virtual` or None; the innermost marker counts.
    """

    ignore: tuple[str, ...] = ()
    mode: Mode | None = None
    clock: str | None = None


def bgcheck(*, mode: Mode | None = None, clock: str | None = None, ignore: object = ()) -> Marks:
    """The signature of the marker.

    Args:
        mode: how tasks run in this test: `inline`, `hold` or `drop`.
        clock: `virtual` gives tasks virtual time.
        ignore: codes and prefixes of checks that are off in this test.

    Raises:
        ValueError: a value is wrong.
    """
    _check_choice("mode", mode, MODES)
    _check_choice("clock", clock, CLOCKS)
    return Marks(as_codes(ignore, "ignore"), mode, clock)


def _check_choice(name: str, value: object, valid: tuple[str, ...]) -> None:
    if value is not None and value not in valid:
        raise ValueError(f"{name}={value!r} is wrong. Valid are: {', '.join(map(repr, valid))}.")


def marks_of(item: pytest.Item) -> Marks:
    """Return what the markers of a test say.

    Raises:
        pytest.fail.Exception: a marker is wrong; the message names the line of the test.
    """
    found = Marks()
    for mark in item.iter_markers("bgcheck"):  # the innermost comes first
        one = _call(item, mark.args, mark.kwargs)
        found = Marks(
            (*found.ignore, *one.ignore), found.mode or one.mode, found.clock or one.clock
        )
    return found


def _call(item: pytest.Item, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Marks:
    try:
        return bgcheck(*args, **kwargs)
    except (TypeError, ValueError, pytest.UsageError) as error:
        reason = str(error).replace("bgcheck() ", "it ").rstrip(".")
    path, line, _ = item.reportinfo()
    pytest.fail(
        f"{path}:{(line or 0) + 1}: @pytest.mark.bgcheck of {item.name}: {reason}.\n"
        "It takes mode, clock and ignore, by name.",
        pytrace=False,
    )
