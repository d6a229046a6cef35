"""Virtual time for background tasks: an hour of sleeping passes in milliseconds.

    with VirtualClock() as clock:
        with clock.enter_task("send_email"):      # in the task's own context
            await send_email()
        assert clock.now == 3600

Loaded only when a test asks for virtual time; nothing is patched before the block is entered.
"""

from bgcheck.runner.clock._clock import Advance as Advance
from bgcheck.runner.clock._clock import VirtualClock as VirtualClock
from bgcheck.runner.clock._errors import VirtualTimeError as VirtualTimeError
from bgcheck.runner.clock._sleeps import Sleep as Sleep
from bgcheck.runner.clock._threads import lasting_sleep as lasting_sleep

__all__ = ("Advance", "Sleep", "VirtualClock", "VirtualTimeError", "lasting_sleep")
