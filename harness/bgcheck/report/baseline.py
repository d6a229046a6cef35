"""The baseline: known findings, by code, file and function; a ratchet in both directions."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bgcheck.report.findings import Line

VERSION = 1

Key = tuple[str, str, str, str]
"""Code, file, scheduling function, task function."""


@dataclass(frozen=True)
class Entry:
    """One known finding. The line number does not count, so that code can move in its file.

    Attributes:
        code: such as `BG301`.
        file: where it was scheduled, relative to the rootdir.
        function: the function that scheduled it.
        func: the task's function.
        reason: why it stays, in the user's words.
        tests: the tests that showed it.
    """

    code: str
    file: str
    function: str
    func: str
    reason: str = ""
    tests: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> Key:
        """What a finding must have in common with it."""
        return self.code, self.file, self.function, self.func


class BaselineError(Exception):
    """A baseline file that cannot be used; the message says what is wrong and what to do."""


def key_of(line: Line) -> Key:
    """Return what a baseline entry must have in common with a finding."""
    site = line["site"] or {}
    return line["code"], site.get("file", ""), site.get("function", ""), line["func"] or ""


def read(path: Path) -> list[Entry]:
    """Return the entries of a baseline file.

    Raises:
        BaselineError: there is none, or it is not one.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise BaselineError(
                f"{path.name} has version {data['version']!r}; this bgcheck reads {VERSION}."
            )
        return [_entry(item) for item in data["findings"]]
    except FileNotFoundError:
        raise BaselineError(
            f"there is no baseline file {path}. Make it with: bgcheck baseline write --file "
            f"{path.name}"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise BaselineError(f"{path.name} is no baseline file: {error!r}.") from None


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(**{**item, "tests": tuple(item.get("tests", ()))})


@functools.lru_cache(maxsize=4)
def known_keys(path: Path) -> frozenset[Key]:
    """Return the keys of a baseline file."""
    return frozenset(entry.key for entry in read(path))


def write(path: Path, lines: Iterable[Line], known: Sequence[Entry] = ()) -> list[Entry]:
    """Write the findings as the new baseline, and keep the reasons of entries that stay.

    Returns:
        The entries, sorted.
    """
    reasons = {entry.key: entry.reason for entry in known}
    tests: dict[Key, list[str]] = {}
    for line in lines:
        tests.setdefault(key_of(line), []).extend(line["tests"])
    entries = [
        Entry(code, file, function, func, reasons.get(key, ""), tuple(sorted(set(names))))
        for key, names in sorted(tests.items())
        for code, file, function, func in [key]
    ]
    data = {"version": VERSION, "findings": [asdict(entry) for entry in entries]}
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return entries


@dataclass(frozen=True)
class Comparison:
    """A session against a baseline.

    Attributes:
        path: the baseline file.
        new: findings that it does not list.
        stale: entries that were not found, although all the tests that showed them were run.
    """

    path: Path
    new: list[Line]
    stale: list[Entry]

    @property
    def holds(self) -> bool:
        """Whether the session is as the baseline says."""
        return not self.new and not self.stale


@dataclass(frozen=True)
class Ran:
    """Which tests a session has run, to tell a finding that is gone from a test that was not run.

    Attributes:
        ran: node ids of the tests that ran.
        left_out: node ids of those that were collected and did not run.
        whole: files of which every test was collected.
    """

    ran: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()

    def covers(self, test: str, root: Path) -> bool:
        """Whether a test was run, or does not exist any more."""
        if test in self.ran or test in self.left_out:
            return test in self.ran
        file = test.partition("::")[0]
        return file in self.whole or not (root / file).exists()

    def as_data(self) -> dict[str, list[str]]:
        """Return it for the footer of the JSON lines file."""
        return {name: sorted(tests) for name, tests in asdict(self).items()}

    @staticmethod
    def of(data: dict[str, list[str]]) -> Ran:
        """Read what `as_data` wrote."""
        return Ran(**{name: frozenset(tests) for name, tests in data.items()})


def compare(path: Path, lines: Sequence[Line], ran: Ran, root: Path) -> Comparison:
    """Compare the findings of a session with a baseline file.

    Args:
        path: the baseline file.
        lines: the findings.
        ran: which tests ran.
        root: the rootdir.

    Raises:
        BaselineError: the file cannot be used.
    """
    entries = read(path)
    known = {entry.key for entry in entries}
    found = {key_of(line) for line in lines}

    def ran_all(entry: Entry) -> bool:
        return all(ran.covers(test, root) for test in entry.tests)

    return Comparison(
        path,
        new=[line for line in lines if key_of(line) not in known],
        stale=[e for e in entries if e.key not in found and ran_all(e)],
    )
