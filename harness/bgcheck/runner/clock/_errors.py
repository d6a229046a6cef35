"""What is raised when virtual time is used in a way that cannot work."""

from __future__ import annotations


class VirtualTimeError(RuntimeError):
    """Virtual time was used outside its block, inside another one, or cannot move."""


def already_active(scope: str) -> VirtualTimeError:
    """Describe a virtual clock that is entered while another one runs."""
    return VirtualTimeError(
        f"virtual time is already on (scope={scope!r}): one clock at a time.\n"
        "Use the clock of the outer block, or leave that block first."
    )


def not_active(what: str, state: str) -> VirtualTimeError:
    """Describe a call of a clock that is not running; `state` is 'not entered' or 'over'."""
    way_out = "Enter the clock first" if state == "not entered" else "Move the call into the block"
    return VirtualTimeError(
        f"{what} needs a running virtual clock, and this one is {state}.\n"
        f"{way_out}: with bgtasks.virtual_time() as clock:"
    )


def used_twice() -> VirtualTimeError:
    """Describe a clock that is entered a second time."""
    return VirtualTimeError(
        "this virtual clock is over: it can be entered once.\n"
        "Make another one: with bgtasks.virtual_time() as clock:"
    )


def bad_seconds(seconds: object) -> ValueError:
    """Describe a distance by which time cannot be advanced."""
    return ValueError(
        f"clock.advance({seconds!r}): time only moves forward.\n"
        "Give a finite number of seconds, zero or more."
    )


def bad_scope(scope: object) -> ValueError:
    """Describe a scope that does not exist."""
    return ValueError(
        f"virtual_time(scope={scope!r}): no such scope.\n"
        "Use 'tasks' (background tasks only, the default) or 'all' (every sleep and timeout)."
    )


def cannot_advance(seconds: float, limit: float, blockers: list[str]) -> VirtualTimeError:
    """Describe an advance that did not get through within `limit` seconds of real time."""
    listed = "".join(f"\n  {blocker}" for blocker in blockers) or "\n  (nothing that is known)"
    return VirtualTimeError(
        f"clock.advance({seconds:g}) is still waiting after {limit:g} s of real time for:{listed}\n"
        "Virtual time never passes running code: let it end, or give advance(timeout=) more time."
    )


def mock_clock() -> VirtualTimeError:
    """Describe a run of trio that has a clock of its own for tests."""
    return VirtualTimeError(
        "this run of trio has a MockClock, which moves time for the whole run already.\n"
        "Use one of the two: leave out virtual_time(), or the clock= of trio.run "
        "(the fixtures mock_clock and autojump_clock)."
    )
