"""The badge of a run, as the JSON that shields.io reads from an endpoint."""

from collections.abc import Mapping
from typing import Any

from bgcheck.report.results import Run

LEVELS = ("MUST", "SHOULD")


def badge(run: Run) -> dict[str, Any]:
    """Return the endpoint's data: how many requirements hold of how many that were measured."""
    tallies = {level: run.tally(level) for level in LEVELS}
    counts = [f"{level} {holding}/{of}" for level, (holding, of) in tallies.items() if of]
    told = run.complete and bool(counts)
    return {
        "schemaVersion": 1,
        "label": "bgcheck",
        "message": " · ".join(counts) if told else "incomplete",
        "color": _color(run, tallies) if told else "lightgrey",
    }


def _color(run: Run, tallies: Mapping[str, tuple[int, int]]) -> str:
    must, should = (holding == of for holding, of in tallies.values())
    if not must or any(result.failing for result in run.results):
        return "red"
    return "brightgreen" if should else "yellow"
