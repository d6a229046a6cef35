"""`expectations.toml`: what a project knows not to hold, on which versions, and why.

[[BGF-RESP-30]]
when = "fastapi >= 0.106, < 0.118"
reason = "We serve no ranges."
link = "https://example.org/issues/7"

[[BGC-DB-02]]
when = "fastapi >= 0.100"
reason = "The export reads while it writes."
link = "https://example.org/issues/8"
request = "POST /exports"
"""

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgcheck.report.stack import resolved_stack
from bgcheck_suites.endpoint.subject import RequestSpec, SubjectError
from bgcheck_suites.registry import Expectation, RegistryError, Row

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - pytest brings it

DEFAULT = "expectations.toml"
KEYS = ("when", "reason", "link")
REQUEST = "request"
"""A key that an entry of the contract may have: the endpoint that it is about."""

Expectations = Mapping[str, tuple[Expectation, ...]]
"""The listed failures, by the id of the requirement."""

Stack = Mapping[str, str]
"""Versions by package."""

EXPECTATIONS = pytest.StashKey[Expectations]()
"""Where a run under pytest keeps the expectations of the project."""


class ExpectationsError(ValueError):
    """A file of expectations that cannot be used."""


def read_expectations(file: Path, rows: Mapping[str, Row]) -> Expectations:
    """Read a file.

    Raises:
        ExpectationsError: it cannot be read, names an unknown id, or an entry lacks something.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExpectationsError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExpectationsError(f"{file} is no TOML: {error}") from None
    return {id_: tuple(_entries(f"{file}: {id_}", id_, found, rows)) for id_, found in data.items()}


def _entries(place: str, id_: str, found: Any, rows: Mapping[str, Row]) -> Iterable[Expectation]:
    if id_ not in rows:
        related = [one for one in rows if one[:3] == id_[:3]]
        near = difflib.get_close_matches(id_, related or rows, n=3)
        hint = f"; there are {', '.join(near)}" if near else ""
        raise ExpectationsError(f"{place} is no requirement{hint}")
    if not isinstance(found, list):
        raise ExpectationsError(f"{place}: write a table in double brackets: [[{id_}]]")
    keys = (*KEYS, REQUEST) if rows[id_].suite == "contract" else KEYS
    for entry in found:
        yield _entry(place, entry, keys)


def _entry(place: str, entry: Any, valid: tuple[str, ...]) -> Expectation:
    keys = set(entry) if isinstance(entry, dict) else set()
    unknown = sorted(keys - set(valid))
    if unknown:
        raise ExpectationsError(
            f"{place}: unknown key {unknown[0]!r}; there are {', '.join(valid)}"
        )
    for key in KEYS:
        if key not in keys or not isinstance(entry[key], str) or not entry[key].strip():
            raise ExpectationsError(f"{place}: {key!r} is missing; each entry needs {_NEEDED}")
    expectation = Expectation(**entry)
    try:
        expectation.holds({})
        if REQUEST in entry:
            RequestSpec(str(entry[REQUEST]))
    except (RegistryError, SubjectError) as error:
        raise ExpectationsError(f"{place}: {error}") from None
    return expectation


_NEEDED = "a condition, a reason and a link"


def check_conditions(file: Path | str, expectations: Expectations, stacks: Iterable[Stack]) -> None:
    """Refuse a condition that nothing satisfies.

    Args:
        file: where the expectations are from.
        expectations: what it says.
        stacks: the versions that are known.

    Raises:
        ExpectationsError: a condition holds on none of the stacks.
    """
    known = list(stacks)
    for id_, entries in expectations.items():
        for entry in entries:
            if not any(entry.holds(stack) for stack in known):
                raise ExpectationsError(
                    f"{file}: {id_}: no known stack satisfies {entry.when!r}: not this one, nor "
                    f"any of the {len(known) - 1} measured ones; correct it, or delete the entry"
                )


def known_stacks() -> list[Stack]:
    """Return the versions that are installed here, and those that have been measured."""
    from bgcheck_suites.matrix.database import load_cells

    return [resolved_stack(), *(c["stack"] for c in load_cells() if c["status"] == "measured")]


def expecting(row: Row, expectations: Expectations, request: str = "") -> Row:
    """Return a row with the failures that a project expects, before those that it has itself.

    Entries about one endpoint count where `request` is that one.
    """
    listed = tuple(e for e in expectations.get(row.id, ()) if e.request in ("", request))
    return replace(row, expected_fail=(*listed, *row.expected_fail)) if listed else row
