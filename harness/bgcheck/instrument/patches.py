"""Replace attributes of foreign classes and modules, and put them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MARK = "__bgcheck_patch__"


class Patches:
    """Attributes that were replaced, newest last."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by `make(original)` where `owner` defines it itself.

        An attribute that holds a wrapper of bgcheck already is left alone: somebody saved it and
        put it back, or wrapped it once more, and it works on.
        """
        original = vars(owner).get(name)
        if original is None or getattr(original, _MARK, False):
            return
        wrapper = make(original)
        setattr(wrapper, _MARK, True)
        setattr(owner, name, wrapper)
        self._done.append((owner, name, original, wrapper))

    def restore(self) -> None:
        """Put every original back, except where somebody else has replaced the wrapper since."""
        while self._done:
            owner, name, original, wrapper = self._done.pop()
            if vars(owner).get(name) is wrapper:
                setattr(owner, name, original)
