"""Measure cells: build each one's environment, run the framework suite in it, keep what it said."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from bgcheck.report.results import read_run
from bgcheck_suites.registry import registry, select

from .cells import Cell, CellError, Observation, cell_of_run, read_cell, write_cell
from .environments import BuildError, build
from .specs import Spec

Build = Callable[[Spec, Path, Path], Path]
TOO_LONG = 900
"""Seconds after which a cell counts as crashed."""


@dataclass(frozen=True)
class Job:
    """How cells are measured: where, with which wheel, which probes, and how often each."""

    directory: Path
    wheel: Path
    select: Sequence[str] = ()
    repeat: int = 1
    fresh: bool = False
    build: Build = build

    @property
    def probes(self) -> tuple[str, ...]:
        """The ids that a cell is to measure."""
        rows = select(registry(), suites=["framework"], prefixes=self.select)
        return tuple(sorted(rows))

    def file(self, spec: Spec) -> Path:
        """Return the file of a cell."""
        return self.directory / "cells" / f"{spec.slug}.json"


def measure_all(job: Job, specs: Sequence[Spec], workers: int) -> Iterator[tuple[Spec, Cell]]:
    """Measure cells, some at a time, and yield each one as it is done.

    A cell that was measured before, with the same probes, is read again and not measured.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(measure, job, spec): spec for spec in specs}
        for future in as_completed(futures):
            yield futures[future], future.result()


def measure(job: Job, spec: Spec) -> Cell:
    """Return the cell of a spec, measured now or before; written to its file."""
    kept = _kept(job, spec)
    if kept is not None:
        return kept
    cell = _measure(job, spec)
    write_cell(cell, job.file(spec))
    return cell


def _kept(job: Job, spec: Spec) -> Cell | None:
    try:
        cell = read_cell(job.file(spec))
    except CellError:
        return None
    fits = cell.status == "measured" and cell.probes == job.probes and cell.repeat >= job.repeat
    return cell if fits and not job.fresh else None


def _measure(job: Job, spec: Spec) -> Cell:
    place = job.directory / "environments" / spec.slug
    try:
        python = job.build(spec, place, job.wheel)
    except BuildError as error:
        return Cell(spec.slug, spec.wanted, {}, "unbuilt", str(error), probes=job.probes)
    cells = [_run(job, spec, python, number) for number in range(job.repeat)]
    shutil.rmtree(place, ignore_errors=True)
    return combined(cells)


def _run(job: Job, spec: Spec, python: Path, number: int) -> Cell:
    """Run the suite once; each repetition shuffles the probes and disturbs their threads."""
    report = job.directory / "runs" / f"{spec.slug}-{number}"
    command = [str(python), "-m", "bgcheck", "conform", "--suite", "framework", "--record"]
    command += ["--report-dir", str(report)]
    for prefix in job.select:
        command += ["--select", prefix]
    if number:
        command += ["--perturb", str(number)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=TOO_LONG, env=environment)
        run = read_run(report / "results.jsonl")
        cell = cell_of_run(run, spec.wanted)
    except (OSError, subprocess.TimeoutExpired, KeyError, TypeError, ValueError) as error:
        reason = f"the run left no results that can be read: {error!r}"
        return Cell(spec.slug, spec.wanted, {}, "crashed", reason, probes=job.probes)
    if run.precondition:
        cell = replace(cell, status="crashed", reason=run.precondition, observations={})
    return replace(cell, probes=job.probes)


def combined(cells: Sequence[Cell]) -> Cell:
    """Return one cell for several runs of it; a probe whose values differ is unstable.

    What crashed in one run is crashed.
    """
    crashed = [cell for cell in cells if cell.status != "measured"]
    if crashed:
        return crashed[0]
    first = cells[0]
    seen = {id_: [c.observations[id_] for c in cells] for id_ in first.observations}
    return replace(
        first,
        observations={id_: _agreed(found) for id_, found in seen.items()},
        repeat=len(cells),
    )


def _agreed(found: Sequence[Observation]) -> Observation:
    values = sorted({one.value for one in found})
    if len(values) == 1:
        return found[0]
    return replace(found[0], value=" or ".join(values), unstable=True)


def merge(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells of several runs or machines as one list, one a name.

    What two of them measured differently in the same cell is unstable.

    Raises CellError where they measured unequal sets of probes.
    """
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.name, []).append(cell)
    check_probes([cell for same in found.values() for cell in same])
    return [_one([c for c in same if c.status == "measured"] or same) for same in found.values()]


def _one(same: Sequence[Cell]) -> Cell:
    return combined(same) if same[0].status == "measured" else same[0]


def check_probes(cells: Sequence[Cell]) -> None:
    """Refuse cells that did not set out to measure the same probes.

    Raises CellError, with the probes that some lack.
    """
    sets: Mapping[str, frozenset[str]] = {
        cell.name: frozenset(cell.probes) for cell in cells if cell.status == "measured"
    }
    everything = frozenset().union(*sets.values())
    for name, probes in sets.items():
        lacking = sorted(everything - probes)
        if lacking:
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            raise CellError(
                f"the cells measured unequal sets of probes: {name} lacks "
                f"{', '.join(lacking[:3])}{more}; measure all with the same bgcheck and --select"
            )
