"""The pytest plugin that `bgcheck conform` loads: streams results, and plants faults on request."""

import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, TextIO, cast

import pytest

from bgcheck.report.results import SEVERITY, Result, Status, worst, write_line, write_result

from .answers.expectations import EXPECTATIONS, read_expectations
from .marks import place_of, requirement_id
from .preconditions import broken
from .registry import registry
from .values import combine, value_of

COLLECTION_BROKEN = "collection-error"
LIMIT_OF_A_PLANTED_RUN = 4.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the internal options."""
    group = parser.getgroup("bgcheck-conform", "internal to `bgcheck conform`")
    group.addoption("--conform-results", type=Path, help="append results to this file")
    group.addoption("--conform-suite", help="the suite that is run")
    group.addoption("--conform-select", action="append", default=[], help="prefix of an id")
    group.addoption("--conform-plant", help="plant this fault in the framework")
    group.addoption("--conform-perturb", type=int, default=0, help="disturb the run by this seed")
    group.addoption("--conform-expectations", type=Path, help="what is known to fail")
    group.addoption("--conform-record", action="store_true", help="compare with no database")


def pytest_configure(config: pytest.Config) -> None:
    """Plant the fault, if one is asked for, and start streaming."""
    fault: str | None = config.option.conform_plant
    if fault:
        from . import events
        from .faults import plant

        # A fault lets probes wait in vain; on a healthy stack none waits so long.
        events.LIMIT = LIMIT_OF_A_PLANTED_RUN
        config.add_cleanup(plant(fault))
    expectations: Path | None = config.option.conform_expectations
    if expectations is not None:
        config.stash[EXPECTATIONS] = read_expectations(expectations, registry())
    path: Path | None = config.option.conform_results
    if path is not None:
        if config.option.conform_perturb:
            config.pluginmanager.register(Perturbation(config.option.conform_perturb))
        stream = path.open("a", encoding="utf-8")
        config.add_cleanup(stream.close)
        suite: str = config.option.conform_suite
        prefixes: list[str] = config.option.conform_select
        streamer = Streamer(stream, suite, tuple(prefixes), planted=bool(fault))
        config.pluginmanager.register(streamer, "bgcheck-streamer")


class Perturbation:
    """Disturbs a run: shuffles the probes, and lets threads change places all the time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        sys.setswitchinterval(1e-6 if seed % 2 else 1e-4)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Shuffle the probes."""
        self._random.shuffle(items)


class Streamer:
    """Writes the line of a requirement as soon as the last of its tests is over."""

    def __init__(
        self, stream: TextIO, suite: str, prefixes: tuple[str, ...], *, planted: bool = False
    ) -> None:
        self._stream = stream
        self._suite = suite
        self._planted = planted
        self._prefixes = prefixes or ("",)
        self._open: Counter[str] = Counter()
        self._ids: dict[str, str] = {}
        self._reports: defaultdict[str, list[pytest.TestReport]] = defaultdict(list)
        self._emitted = 0

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the selected tests, and count the tests of each requirement."""
        ids = {item: requirement_id(item) for item in items}
        chosen = [item for item, id_ in ids.items() if id_ and id_.startswith(self._prefixes)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
        self._ids = {item.nodeid: str(requirement_id(item)) for item in items}
        self._open.update(self._ids.values())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a module that could not be collected."""
        if report.failed:
            error = str(report.longrepr).strip().splitlines()[-1]
            write_line(
                self._stream,
                COLLECTION_BROKEN,
                {"suite": self._suite, "module": report.nodeid, "message": error},
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Measure nothing where not even a plain app works; say so in one line."""
        if self._suite == "framework" and not self._planted:
            reason = broken()
            if reason:
                write_line(self._stream, "precondition", {"message": reason})
                session.items.clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a phase of a test said."""
        self._reports[self._ids[report.nodeid]].append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write the result of a requirement whose tests are all over."""
        id_ = self._ids[nodeid]
        self._open[id_] -= 1
        if not self._open[id_]:
            write_result(self._stream, _result(id_, self._suite, self._reports.pop(id_)))
            self._emitted += 1

    def pytest_sessionfinish(self) -> None:
        """Say that the suite reached its end."""
        write_line(self._stream, "suite-end", {"suite": self._suite, "emitted": self._emitted})


def _result(id_: str, suite: str, reports: list[pytest.TestReport]) -> Result:
    """Combine what the tests of one requirement said; the worst status counts."""
    said = [(r, _properties(r)) for r in reports if ("requirement", id_) in r.user_properties]
    status: Status = worst([cast("Status", p["status"]) for _, p in said])
    speaker, properties = next(pair for pair in said if pair[1]["status"] == status)
    row = registry()[id_]
    shown = status != "pass"
    return Result(
        id=id_,
        suite=suite,
        kind=row.kind,
        level=row.level,
        status=status,
        requirement=row.text,
        message=_located(properties["message"], speaker) if shown else "",
        evidence=tuple(
            v for k, v in speaker.user_properties if k == "evidence" and isinstance(v, str)
        ),
        observed=properties.get("observed"),
        value=_value(said),
        duration=round(sum(report.duration for report in reports), 4),
        suite_error=any("suite_error" in p for _, p in said),
        tests=tuple(dict.fromkeys(r.nodeid for r, _ in said)),
        source=str(row.source),
    )


def _properties(report: pytest.TestReport) -> dict[str, Any]:
    return {key: value for key, value in report.user_properties if key != "evidence"}


def _located(message: str, report: pytest.TestReport) -> str:
    """Put the place of measurement (`in-process`, `server`) before a message."""
    place = place_of(report.nodeid)
    return f"[{place}] {message}" if place else message


def _value(reports: list[tuple[pytest.TestReport, dict[str, Any]]]) -> str:
    """Return the value of a requirement or behaviour, over the places where it was measured."""
    said: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for report, properties in reports:
        said[place_of(report.nodeid)].append(properties)
    worst_of = {
        place: min(found, key=lambda p: SEVERITY.index(p["status"]))
        for place, found in said.items()
    }
    return combine({p: value_of(w["status"], w.get("observed")) for p, w in worst_of.items()})
