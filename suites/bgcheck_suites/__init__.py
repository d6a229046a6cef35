"""Conformance suites for background tasks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registry import Expectation as Expectation
    from .testcase import TaskContract as TaskContract

__all__ = ("Expectation", "TaskContract")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import what is asked for, and no sooner: the command needs only the registry."""
        from importlib import import_module

        places = {"Expectation": ".registry", "TaskContract": ".testcase"}
        if name in places:
            return getattr(import_module(places[name], __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
