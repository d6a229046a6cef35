"""The faults that a request is sent with: before, inside and after each task, and cancellation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .injection import (
    CancellationInside,
    DisconnectInside,
    FailureAfter,
    FailureBefore,
    FailureInside,
    points_of,
)
from .trial import Sent, Trial, name_of


@dataclass
class Faulty:
    """A request that was sent with a fault: the fault in words, and what came of it."""

    fault: str
    sent: Sent
    hits: int = 0


def outside(made: Trial, functions: list[Any]) -> Iterator[Faulty]:
    """Send the request with each task failing before its first and after its last line."""
    for function in functions:
        for kind, moment in ((FailureBefore, "before its start"), (FailureAfter, "after its end")):
            with kind(made.bgtasks.runner, function, None) as fault:
                sent = made.send()
            if fault.hits:
                yield Faulty(f"{name_of(function)} fails {moment}", sent, fault.hits)


def inside(made: Trial, functions: list[Any]) -> Iterator[Faulty]:
    """Send the request with each line failing that can fail, in each task."""
    for function in functions:
        for point in points_of(function):
            with FailureInside(made.bgtasks.runner, function, point) as fault:
                sent = made.send()
            if fault.raised:
                yield Faulty(f"{name_of(function)} fails at {point}", sent, fault.raised)


def cancelled(made: Trial, functions: list[Any]) -> Iterator[Faulty]:
    """Send the request with each task cancelled, as by a server that shuts down."""
    for function in functions:
        for moment in ("start", "first-await"):
            with made.bgtasks.cancel(function, moment) as fault:
                sent = made.send()
            if fault.hits:
                yield Faulty(f"{name_of(function)} is cancelled at its {moment}", sent, fault.hits)
        for point in points_of(function):
            with CancellationInside(made.bgtasks.runner, function, point) as inner:
                sent = made.send()
            if inner.raised:
                yield Faulty(f"{name_of(function)} is cancelled at {point}", sent, inner.raised)


def disconnected(made: Trial, functions: list[Any]) -> Iterator[Faulty]:
    """Send the request, and let its client go away before the first task, and amid each task."""
    with made.bgtasks.hold():
        sent = made.begin()
        if made.client.calls.pending:
            made.bgtasks.disconnect_client()
    made.drain()
    yield Faulty("the client goes away before the first task", sent)
    for function in functions:
        points = points_of(function)
        for point in points[len(points) // 2 :][:1]:
            with DisconnectInside(made.bgtasks.runner, function, point) as fault:
                sent = made.send()
            if fault.raised:
                yield Faulty(f"the client of {name_of(function)} goes away at {point}", sent)


def all_faults(made: Trial, functions: list[Any]) -> Iterator[Faulty]:
    """Send the request with every fault there is."""
    yield from outside(made, functions)
    yield from inside(made, functions)
    yield from cancelled(made, functions)
    yield from disconnected(made, functions)
