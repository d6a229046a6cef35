"""Errors of bgcheck itself: kept away from tests, and reported at the end of the session."""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from bgcheck.instrument.hub import hub

_KEY: Final = "bgcheck_internal_errors"
_FROM_WORKERS: Final = pytest.StashKey[list[tuple[str, str]]]()
_PACKAGE: Final = Path(__file__).parent.parent


def export(config: pytest.Config) -> None:
    """Hand what happened in a worker of pytest-xdist to the controller."""
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[_KEY] = _take()


def collect(node: Any) -> None:
    """Take what a worker handed over; one that crashed handed over nothing."""
    errors = getattr(node, "workeroutput", {}).get(_KEY, ())
    collected = node.config.stash.setdefault(_FROM_WORKERS, [])
    collected.extend((line, full) for line, full in errors)


def summarize(reporter: pytest.TerminalReporter) -> None:
    """Print one line for each different error, with its traceback at `-vv`."""
    errors = [*reporter.config.stash.get(_FROM_WORKERS, ()), *_take()]
    if not errors:
        return
    counted = Counter(line for line, _ in errors)
    full = dict(reversed(errors))
    reporter.ensure_newline()
    reporter.section("bgcheck: internal errors", yellow=True)
    for line, count in counted.items():
        reporter.write_line(line if count == 1 else f"{line} ({count} times)")
        if reporter.config.get_verbosity() >= 2:
            reporter.write_line(full[line])
    reporter.write_line("No test was changed by it, but a record may be missing or incomplete.")


def _take() -> list[tuple[str, str]]:
    errors = [(_describe(error), _full(error)) for error in hub.errors]
    hub.errors.clear()
    return errors


def _describe(error: BaseException) -> str:
    what = "".join(traceback.format_exception_only(error)).strip().replace("\n", " ")
    return f"bgcheck: internal error{_place(error)}, please report it: {what}"


def _place(error: BaseException) -> str:
    """The innermost line of bgcheck's own code; another version has other lines."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(_PACKAGE):
            return f" in {file.relative_to(_PACKAGE.parent).as_posix()}, line {frame.lineno}"
    return ""


def _full(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()
