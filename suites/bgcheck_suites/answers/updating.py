"""Bring `expectations.toml` in line with what was measured, and keep its comments and reasons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from bgcheck_suites.matrix.cells import Cell, Observation
from bgcheck_suites.registry import Expectation

from .conditions import ConditionError, Stack, smallest
from .expectations import REQUEST, ExpectationsError

FAILING = ("fail", "expected-fail")
HOLDING = ("pass", "unexpected-pass")


@dataclass
class Changes:
    """What was done to the file: lines such as `BGF-ORDER-01: fastapi >= 0.106`."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Why:
    """The reason and the link of new entries."""

    reason: str
    link: str


def update(
    document: tomlkit.TOMLDocument, cells: Sequence[Cell], reason: str = "", link: str = ""
) -> Changes:
    """Change a document so that it lists what fails in some cells, and nothing that holds there.

    An entry whose condition none of the cells satisfies stays as it is, and so do the entries of a
    requirement with one about a single endpoint: a cell does not tell endpoints apart.

    Args:
        document: of `expectations.toml`.
        cells: what was measured.
        reason: for new entries.
        link: for new entries.

    Raises:
        ExpectationsError: a new entry lacks its reason or link, or no condition tells where
            something fails.
    """
    changes = Changes()
    for id_ in sorted({id_ for cell in cells for id_ in cell.observations}):
        if any(REQUEST in entry for entry in document.get(id_, [])):
            continue
        failing, holding = _stacks(cells, id_, FAILING), _stacks(cells, id_, HOLDING)
        if failing or holding:
            _update_one(document, id_, failing, holding, _Why(reason, link), changes)
    return changes


def _stacks(cells: Iterable[Cell], id_: str, statuses: Sequence[str]) -> list[Stack]:
    return [cell.stack for cell in cells if _is(cell.observations.get(id_), statuses)]


def _is(seen: Observation | None, statuses: Sequence[str]) -> bool:
    return seen is not None and not seen.unstable and seen.status in statuses


def _update_one(
    document: tomlkit.TOMLDocument,
    id_: str,
    failing: Sequence[Stack],
    holding: Sequence[Stack],
    why: _Why,
    changes: Changes,
) -> None:
    entries: Any = document.get(id_, [])
    if _is_right(entries, failing, holding):
        return
    try:
        wanted = smallest(failing, holding) if failing else []
    except ConditionError as error:
        raise ExpectationsError(f"{id_}: {error}; measure again with --repeat") from None
    touched = [entry for entry in entries if _holds_on_any(entry, (*failing, *holding))]
    for entry, condition in zip_longest(touched, wanted):
        if entry is None:
            _add(document, id_, _new(id_, condition, why))
            changes.added.append(f"{id_}: {condition}")
        elif condition is None:
            changes.removed.append(f"{id_}: {entry['when']}")
            _remove(document, id_, entry)
        elif entry["when"] != condition:
            changes.changed.append(f"{id_}: {entry['when']} is now {condition}")
            entry["when"] = condition


def _is_right(entries: Any, failing: Sequence[Stack], holding: Sequence[Stack]) -> bool:
    """Whether the entries hold on every failing stack, and on no other."""
    listed = [Expectation(when=str(entry["when"])) for entry in entries]
    covered = all(any(one.holds(stack) for one in listed) for stack in failing)
    return covered and not any(one.holds(stack) for one in listed for stack in holding)


def _holds_on_any(entry: Mapping[str, Any], stacks: Iterable[Stack]) -> bool:
    return any(Expectation(when=str(entry["when"])).holds(stack) for stack in stacks)


def _new(id_: str, condition: str, why: _Why) -> Table:
    if not (why.reason and why.link):
        raise ExpectationsError(
            f"{id_} fails on {condition}, and is not listed: a new entry needs --reason and --link"
        )
    table = tomlkit.table()
    table.update({"when": condition, "reason": why.reason, "link": why.link})
    return table


def _add(document: tomlkit.TOMLDocument, id_: str, table: Table) -> None:
    if id_ not in document:
        document.append(id_, tomlkit.aot())
    entries = document[id_]
    assert isinstance(entries, AoT)
    entries.append(table)


def _remove(document: tomlkit.TOMLDocument, id_: str, entry: Any) -> None:
    entries = document[id_]
    assert isinstance(entries, AoT)
    del entries[next(n for n, one in enumerate(entries) if one is entry)]
    if not entries:
        document.remove(id_)
