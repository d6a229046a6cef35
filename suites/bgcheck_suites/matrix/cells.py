"""What was measured in one cell: kept in one JSON file, or read from a run of `bgcheck conform`."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bgcheck.report.results import Result, Run, read_run
from bgcheck_suites.values import value_of

Status = Literal["measured", "unbuilt", "crashed"]
NAMED = ("fastapi", "starlette", "anyio")
FORMAT = 1
CHANCE = re.compile(r"(?<=0x)[0-9a-f]+|(?<=127\.0\.0\.1:)\d+|(?<=Thread-)\d+|(?<=Task-)\d+")
"""What differs from run to run in words and events: addresses, ports, numbers."""


class CellError(ValueError):
    """A file that holds no cell."""


@dataclass(frozen=True)
class Observation:
    """What one probe measured in one cell; the values of an unstable one differed."""

    id: str
    value: str
    status: str
    message: str = ""
    evidence: tuple[str, ...] = ()
    unstable: bool = False


@dataclass(frozen=True)
class Cell:
    """One set of versions: what was asked for, what was resolved, and what was measured.

    `probes` are the ids that the cell set out to measure; `reason` says why it was not measured.
    """

    name: str
    wanted: Mapping[str, str]
    stack: Mapping[str, str]
    status: Status
    reason: str = ""
    observations: Mapping[str, Observation] = field(default_factory=dict)
    probes: tuple[str, ...] = ()
    repeat: int = 1


def cell_name(stack: Mapping[str, str]) -> str:
    """Return the name of a cell, made from its resolved versions."""
    parts = [f"{package}{stack[package]}" for package in NAMED if package in stack]
    return "-".join([f"py{stack['python']}", *parts])


def read_cell(path: Path) -> Cell:
    """Read the file of a cell, a results file of `bgcheck conform`, or its report directory.

    Raises CellError where the path holds neither.
    """
    if path.is_dir():
        path = path / "results.jsonl"
    try:
        if path.suffix == ".json":
            return _from_json(json.loads(path.read_text(encoding="utf-8")))
        return cell_of_run(read_run(path))
    except OSError as error:
        raise CellError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CellError(f"{path} holds no cell: {error}") from None


def read_cells(paths: Iterable[Path]) -> list[Cell]:
    """Read the cells of some matrix directories and files, sorted by name.

    Raises CellError where a path holds no cell.
    """
    found = [read_cell(file) for path in paths for file in _files(path)]
    return sorted(found, key=lambda cell: (cell.name, sorted(cell.wanted.items())))


def write_cell(cell: Cell, path: Path) -> None:
    """Write the file of a cell, as a whole or not at all."""
    record = {"format": FORMAT, **asdict(cell)}
    record["observations"] = list(record["observations"].values())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def cell_of_run(run: Run, wanted: Mapping[str, str] | None = None) -> Cell:
    """Return the cell of a conformance run; a run without a footer crashed."""
    stack = run.header["stack"]
    crashed = run.footer is None
    return Cell(
        name=cell_name(stack),
        wanted=wanted or {},
        stack=stack,
        status="crashed" if crashed else "measured",
        reason="the run stopped before its end" if crashed else "",
        observations={result.id: _observation(result) for result in run.results},
        probes=tuple(sorted(result.id for result in run.results)),
    )


def _observation(result: Result) -> Observation:
    value = result.value or value_of(result.status, result.observed)
    evidence = tuple(CHANCE.sub("…", line) for line in result.evidence)
    return Observation(result.id, value, result.status, CHANCE.sub("…", result.message), evidence)


def _files(path: Path) -> list[Path]:
    if not path.is_dir() or (path / "results.jsonl").is_file():
        return [path]
    inner = path / "cells" if (path / "cells").is_dir() else path
    found = sorted(inner.glob("*.json"))
    if not found:
        raise CellError(f"{path} holds no cell")
    return found


def _from_json(record: dict[str, Any]) -> Cell:
    found = record.pop("format", None)
    if found != FORMAT:
        raise ValueError(f"its format is {found!r}, not {FORMAT}")
    seen = [Observation(**{**o, "evidence": tuple(o["evidence"])}) for o in record["observations"]]
    record["observations"] = {observation.id: observation for observation in seen}
    return Cell(**{**record, "probes": tuple(record["probes"])})
