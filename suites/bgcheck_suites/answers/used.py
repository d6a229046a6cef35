"""Which patterns an app uses, by a `--bgcheck-json` report, and which probes are about them."""

import functools
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgcheck_suites.registry import Row

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - pytest brings it

MAPPING = Path(__file__).parent / "patterns.toml"


class UsedError(ValueError):
    """Lines that are not those of a `--bgcheck-json` report."""


@dataclass(frozen=True)
class Use:
    """One task function at one place of the app, with the patterns that any of its tasks shows."""

    func: str
    place: str
    patterns: frozenset[str]

    def __str__(self) -> str:
        return f"{self.func} ({self.place})" if self.place else self.func


@dataclass(frozen=True)
class Used:
    """What an app uses; `incomplete` says why the report does not tell all of it."""

    uses: tuple[Use, ...]
    incomplete: str = ""

    def patterns(self) -> list[tuple[str, int]]:
        """Return the patterns and the number of places that show each, the most frequent first."""
        counts = Counter(pattern for use in self.uses for pattern in use.patterns)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    def concerned(self, row: Row) -> tuple[Use, ...]:
        """Return the uses that a row is about."""
        needed = needs(row)
        return tuple(use for use in self.uses if all(use.patterns & one for one in needed))


def read_used(lines: Sequence[Mapping[str, Any]]) -> Used:
    """Return what the lines of a report say that an app uses.

    Raises:
        UsedError: the lines are something else.
    """
    if not lines or lines[0].get("type") != "header" or "stack" not in lines[0]:
        raise UsedError("it does not begin with the header of a --bgcheck-json report")
    shown: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        if line.get("type") == "task":
            site = line["site"]
            place = "" if site is None else f"{site['file']}:{site['line']}"
            shown.setdefault((line["func"], place), set()).update(line["patterns"])
    uses = tuple(Use(func, place, frozenset(found)) for (func, place), found in shown.items())
    return Used(uses, _incomplete(lines, uses))


def _incomplete(lines: Sequence[Mapping[str, Any]], uses: tuple[Use, ...]) -> str:
    footer = next((line for line in lines if line.get("type") == "footer"), None)
    if footer is None or not footer.get("complete"):
        return "the test run behind the report is incomplete, so that patterns may be missing"
    return "" if uses else "no task was scheduled in the test run behind the report"


def needs(row: Row) -> list[frozenset[str]]:
    """Return sets of patterns; a task that a row is about shows one of each."""
    mapping = _mapping()
    listed = mapping["probes"].get(row.id)
    if listed is None:
        listed = [mapping["areas"][area] for area in row.areas if area in mapping["areas"]]
    groups = mapping["groups"]
    return [frozenset(p for name in names for p in groups.get(name, [name])) for names in listed]


def is_refused(value: str) -> bool:
    """Whether a value says that no app runs which does such a thing."""
    return any(words in value for words in _mapping()["refused"])


@functools.cache
def _mapping() -> Mapping[str, Any]:
    return tomllib.loads(MAPPING.read_text(encoding="utf-8"))
