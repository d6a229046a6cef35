"""Views of a recording: which of its tasks and requests a log shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Select = Callable[[list[Any]], list[Any]]
"""Chooses from a list, keeping its order."""


@dataclass(frozen=True, slots=True)
class View:
    """What a log shows of a recording, and how messages write it: `.of(send_email)`."""

    described: str = ""
    tasks: Select = list
    requests: Select = list

    def narrowed(self, described: str, tasks: Select, requests: Select) -> View:
        """Return a view of only some of what this view shows."""
        outer = self
        return View(
            self.described + described,
            lambda items: tasks(outer.tasks(items)),
            lambda items: requests(outer.requests(items)),
        )


class Block:
    """What a list gains while a block runs."""

    def __init__(self, items: Sequence[object]) -> None:
        self._items = items
        self._before = frozenset(map(id, items))
        self._gained: frozenset[int] | None = None

    def end(self) -> None:
        """End the block: what the list gains from now on is not of it."""
        self._gained = frozenset(map(id, self._items)) - self._before

    def select(self, items: list[Any]) -> list[Any]:
        """Choose what the block has gained so far."""
        if self._gained is not None:
            return [item for item in items if id(item) in self._gained]
        return [item for item in items if id(item) not in self._before]
