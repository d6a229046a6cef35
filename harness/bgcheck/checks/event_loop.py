"""BG5: the event loop, threads, and what is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgcheck.checks.event_loop_blocking import BlockingCallOnLoop, BlockingDatabaseCall
from bgcheck.checks.event_loop_handles import HandleLeftOpen, LoopObjectFromThread
from bgcheck.checks.event_loop_held import LoopBlocked
from bgcheck.checks.event_loop_leftovers import OrphanAsyncioTask, OrphanThread
from bgcheck.checks.event_loop_misuse import NestedEventLoop, NoLoopInThread
from bgcheck.checks.event_loop_resources import TempfileLeft, ThreadPoolStarved

if TYPE_CHECKING:
    from bgcheck.checks.base import Check

CHECKS: tuple[type[Check], ...] = (
    BlockingCallOnLoop,
    BlockingDatabaseCall,
    LoopBlocked,
    LoopObjectFromThread,
    NoLoopInThread,
    NestedEventLoop,
    ThreadPoolStarved,
    OrphanAsyncioTask,
    OrphanThread,
    HandleLeftOpen,
    TempfileLeft,
)
