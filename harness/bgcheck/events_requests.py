"""What an application does with a request: part of `bgcheck.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgcheck.recorder.request import RequestInfo


@dataclass(slots=True, eq=False)
class OverridesMet:
    """An application with dependency overrides begins to answer.

    `overrides` is alive only while the event is handled.
    """

    request: RequestInfo
    overrides: Mapping[Any, Any]
