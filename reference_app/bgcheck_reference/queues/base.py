"""What every queue offers."""

from collections.abc import Callable
from typing import Any, Protocol


class TaskQueue(Protocol):
    """Takes task functions with the arguments that are data; it finds the resources itself."""

    async def add(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Have a task run later.

        Args:
            task: the function; a real queue must know it by name.
            args: its arguments, without its resources.
            kwargs: those given by name.
        """


class RunningQueue(TaskQueue, Protocol):
    """A queue that is connected while the app runs."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""
