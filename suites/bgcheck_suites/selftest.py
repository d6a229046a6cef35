"""The kill matrix: the suite measured against each planted fault, one child process a fault."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bgcheck.cli.child import SuiteRun, follow
from bgcheck.report.results import read_run

from .faults import FAULTS
from .registry import Row, registry, select
from .reproduce.definitions import probes

HEALTHY = "none"


@dataclass(frozen=True)
class Trial:
    """What the requirements said with one fault planted (or none)."""

    fault: str
    asked: tuple[str, ...]
    statuses: Mapping[str, str]

    @property
    def killing(self) -> tuple[str, ...]:
        """The requirements that found the fault."""
        return tuple(i for i, s in self.statuses.items() if s in ("fail", "warn"))

    @property
    def applicable(self) -> tuple[str, ...]:
        """The requirements that were asked and apply to this stack."""
        return tuple(i for i in self.asked if self.statuses.get(i) != "not-applicable")

    @property
    def survived(self) -> tuple[str, ...]:
        """The requirements that should have found the fault, and did not."""
        named = FAULTS[self.fault].kills if self.fault != HEALTHY else ()
        killing = self.killing
        return tuple(i for i in self.applicable if i in named and i not in killing)

    @property
    def missing(self) -> tuple[str, ...]:
        """The requirements that were asked and gave no answer."""
        return tuple(i for i in self.asked if i not in self.statuses)


@dataclass(frozen=True)
class Matrix:
    """The trials of a self-test."""

    stack: Mapping[str, str]
    healthy: Trial
    trials: tuple[Trial, ...]

    @property
    def survivors(self) -> list[tuple[str, str]]:
        """Pairs of a fault and a requirement that names it and let it live."""
        return [(t.fault, id_) for t in self.trials for id_ in t.survived]

    @property
    def unhealthy(self) -> list[str]:
        """Requirements that do not hold without any fault."""
        return [i for i, s in self.healthy.statuses.items() if s in ("fail", "warn")]

    @property
    def inconclusive(self) -> list[tuple[str, str]]:
        """Pairs of a fault and a requirement that gave no answer."""
        return [(t.fault, id_) for t in (self.healthy, *self.trials) for id_ in t.missing]

    @property
    def score(self) -> str:
        """How many faults were killed by all that name them, and how many pairs there were."""
        pairs = sum(len(_named(trial)) for trial in self.trials)
        killed = sum(not trial.survived for trial in self.trials)
        return (
            f"{killed}/{len(self.trials)} faults killed, "
            f"{pairs - len(self.survivors)}/{pairs} kills by the requirements that name them"
        )

    def killers(self) -> dict[str, tuple[str, ...]]:
        """Return the faults that each requirement found."""
        ids = dict.fromkeys(id_ for t in self.trials for id_ in t.asked)
        return {i: tuple(t.fault for t in self.trials if i in t.killing) for i in ids}

    def as_json(self) -> str:
        """Return the matrix as a JSON document."""
        return json.dumps(
            {
                "stack": dict(self.stack),
                "score": self.score,
                "healthy": dict(self.healthy.statuses),
                "faults": {
                    t.fault: {
                        "summary": FAULTS[t.fault].summary,
                        "names": list(_named(t)),
                        "killed_by": list(t.killing),
                        "survived": list(t.survived),
                        "statuses": dict(t.statuses),
                    }
                    for t in self.trials
                },
            },
            indent=2,
        )


def _named(trial: Trial) -> tuple[str, ...]:
    named = FAULTS[trial.fault].kills
    return tuple(id_ for id_ in trial.applicable if id_ in named)


def requirements() -> dict[str, Row]:
    """Return the requirements of the framework suite."""
    rows = select(registry(), suites=["framework"])
    return {id_: row for id_, row in rows.items() if row.kind == "requirement"}


def unnamed() -> list[str]:
    """Return the requirements that no fault names."""
    named = {id_ for fault in FAULTS.values() for id_ in fault.kills}
    return [id_ for id_ in requirements() if id_ not in named]


def run(
    faults: Sequence[str],
    directory: Path,
    *,
    stack: Mapping[str, str],
    prefixes: Iterable[str] = (),
    full: bool = False,
    workers: int = 1,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Matrix:
    """Measure with none and with each of the faults; the reports go below the directory."""
    chosen = set(select(requirements(), prefixes=prefixes))
    asked = {name: _asked(name, chosen, full=full) for name in faults}
    every = tuple(i for i in requirements() if any(i in ids for ids in asked.values()))
    wanted = {HEALTHY: every, **{name: ids for name, ids in asked.items() if ids}}

    def measure(name: str) -> Trial:
        trial = _measure(name, wanted[name], directory)
        on_trial(trial)
        return trial

    with ThreadPoolExecutor(workers) as pool:
        healthy, *trials = pool.map(measure, wanted)
    return Matrix(stack, healthy, tuple(trials))


def _asked(name: str, chosen: set[str], *, full: bool) -> tuple[str, ...]:
    return tuple(i for i in (requirements() if full else FAULTS[name].kills) if i in chosen)


def _measure(name: str, ids: tuple[str, ...], directory: Path) -> Trial:
    """Run the requirements in a process of their own, with the fault planted in it."""
    results = directory / f"{name}.jsonl"
    log = directory / f"{name}.log"
    for path in (results, log):
        path.write_text("", encoding="utf-8")
    plan = SuiteRun(
        suite="framework",
        directory=Path(__file__).parent,
        results=results,
        log=log,
        select=ids,
        files=_files(ids),
        fault=None if name == HEALTHY else name,
    )
    follow(plan, lambda _: None)
    statuses: dict[str, str] = {
        r.id: "broken" if r.suite_error else r.status for r in read_run(results).results
    }
    return Trial(name, ids, statuses)


def _files(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the files with the probes of some requirements: what else there is takes time."""
    found = (definition for id_ in ids for definition in probes()[id_])
    return tuple(dict.fromkeys(f"{d.module.rpartition('.')[2]}.py" for d in found))


def markdown(matrix: Matrix) -> str:
    """Return the page of the kill matrix."""
    lines = [
        "# The kill matrix",
        "",
        "Does the framework suite find what it is there to find? `bgcheck selftest` breaks the",
        "installed framework on purpose, one planted fault at a time, and measures again: every",
        "requirement that names a fault has to fail with it. This page is its output",
        "(`bgcheck selftest --markdown`).",
        "",
        f"**{matrix.score}**, on " + ", ".join(f"{k} {v}" for k, v in matrix.stack.items()) + ".",
        "",
        "| fault | what is broken | killed by | survived |",
        "|---|---|---|---|",
    ]
    for trial in matrix.trials:
        killed = [id_ for id_ in _named(trial) if id_ not in trial.survived]
        summary = FAULTS[trial.fault].summary
        shown = (f"`{trial.fault}`", summary, _listed(killed), _listed(trial.survived))
        lines.append(f"| {' | '.join(shown)} |")
    lines += ["", "## By requirement", "", "| requirement | faults that it kills |", "|---|---|"]
    for id_, faults in matrix.killers().items():
        lines.append(f"| {id_} {requirements()[id_].text} | {_listed(faults)} |")
    return "\n".join(lines) + "\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"
