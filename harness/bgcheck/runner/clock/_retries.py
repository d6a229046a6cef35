"""The time that retry libraries read: a bound on elapsed time counts virtual back-offs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bgcheck.runner.clock._state import core_here

if TYPE_CHECKING:
    from bgcheck.runner.clock._patching import ClockPatches


class _RetryTime:
    """The module `time` as tenacity sees it, with virtual time in `monotonic` inside tasks."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def monotonic(self) -> float:
        core = core_here()
        passed = core.now if core is not None else 0.0
        return float(self._real.monotonic()) + passed


def patch_tenacity(patches: ClockPatches) -> None:
    """Have `stop_after_delay`, and stamina's `timeout`, end in virtual time.

    They compare readings of `time.monotonic`, which stays real for other code: without this a
    retry that is bounded by time alone would never end while its back-offs take none.
    """
    tenacity = sys.modules.get("tenacity")
    if tenacity is not None and hasattr(tenacity, "time"):
        patches.override(tenacity, "time", _RetryTime)
