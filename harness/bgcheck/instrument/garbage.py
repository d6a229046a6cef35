"""Garbage collections under way in this thread, and the time they take."""

from __future__ import annotations

import gc
import threading
from time import thread_time
from typing import Any


class Collections(threading.local):
    """What the garbage collector does in one thread, while somebody watches.

    Attributes:
        under_way: a collection is running in this thread.
        seconds: CPU time that collections have taken in this thread so far.
    """

    under_way: bool = False
    seconds: float = 0.0
    _began: float = 0.0

    def note(self, phase: str, _info: dict[str, Any]) -> None:
        """Take a call of the garbage collector."""
        self.under_way = phase == "start"
        if self.under_way:
            self._began = thread_time()
        else:
            self.seconds += thread_time() - self._began


collections: Collections = Collections()
_note = collections.note
_watchers = 0
_lock = threading.Lock()


def watch() -> None:
    """Watch collections; each call needs one of `unwatch`."""
    global _watchers
    with _lock:
        _watchers += 1
        if _watchers == 1:
            gc.callbacks.append(_note)


def unwatch() -> None:
    """Watch no more, once nobody else does."""
    global _watchers
    with _lock:
        _watchers -= 1
        if _watchers == 0 and _note in gc.callbacks:
            gc.callbacks.remove(_note)
