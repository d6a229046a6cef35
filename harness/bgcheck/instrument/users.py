"""Count who uses an instrument: the first turns it on, the last turns it off."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Users:
    """How many have asked for an instrument and not let go of it."""

    def __init__(self) -> None:
        self._count = 0

    def first(self, turn_on: Callable[[], None]) -> Callable[[], None]:
        """Make the function that each user begins with; `turn_on` is called for the first."""

        @functools.wraps(turn_on)
        def install() -> None:
            self._count += 1
            if self._count == 1:
                turn_on()

        return install

    def last(self, turn_off: Callable[[], None]) -> Callable[[], None]:
        """Make the function that each user ends with; `turn_off` is called for the last."""

        @functools.wraps(turn_off)
        def uninstall() -> None:
            self._count -= 1
            if self._count == 0:
                turn_off()

        return uninstall
