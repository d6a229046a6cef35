"""The badge of a run, as the JSON that shields.io reads from an endpoint."""

from typing import Any

from bgcheck.report.results import Run

LEVELS = ("MUST", "SHOULD")


def badge(run: Run) -> dict[str, Any]:
    """Return the endpoint's data: how many requirements hold of how many that were measured."""
    tallies = {level: run.tally(level) for level in LEVELS}
    counts = [f"{level} {holding}/{of}" for level, (holding, of) in tallies.items() if of]
    message = " · ".join(counts) if run.complete and counts else "incomplete"
    return {
        "schemaVersion": 1,
        "label": "bgcheck",
        "message": message,
        "color": _color(run, [holding == of for holding, of in tallies.values()]),
    }


def _color(run: Run, all_hold: list[bool]) -> str:
    if not run.complete:
        return "lightgrey"
    must, should = all_hold
    if not must or any(result.failing for result in run.results):
        return "red"
    return "brightgreen" if should else "yellow"
