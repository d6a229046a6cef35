"""Task coverage of a session: what ran, from all its processes, against what the source has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bgcheck.checks.suppress import relative_to
from bgcheck.coverage.finder import FoundSite, find_sites
from bgcheck.coverage.modules import Project
from bgcheck.coverage.sources import Sources, UnknownSourceError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from bgcheck.coverage.runs import TaskRun

Key = tuple[str, int]
"""File, relative to the rootdir, and line."""


@dataclass
class Tally:
    """What became of the tasks of one site or one function.

    Attributes:
        file: the file of the site or function, empty where it is not known.
        line: its line, or 0.
        name: the function around the site, or the task function.
        funcs: the task functions of a site.
        scheduled: how many tasks were scheduled.
        ran: how many of them began to run.
        failed: how many failed.
        asserted: how many a test looked at.
        tests: the tests that scheduled them.
    """

    file: str
    line: int
    name: str
    funcs: set[str] = field(default_factory=set)
    scheduled: int = 0
    ran: int = 0
    failed: int = 0
    asserted: int = 0
    tests: set[str] = field(default_factory=set)

    def add(self, run: TaskRun) -> None:
        """Count a task."""
        self.scheduled += 1
        self.ran += run["ran"]
        self.failed += run["failed"]
        self.asserted += run["asserted"]
        if run["test"]:
            self.tests.add(run["test"])

    @property
    def unseen(self) -> bool:
        """Whether its tasks ran, and no test looked at one."""
        return self.ran > 0 and self.asserted == 0

    def counts(self) -> dict[str, int]:
        """Return the numbers by name."""
        names = ("scheduled", "ran", "failed", "asserted")
        return {name: getattr(self, name) for name in names}


@dataclass
class Report:
    """The task coverage of a session.

    Attributes:
        sites: the schedule sites under test, by file and line.
        functions: the task functions, those that no test reached as well.
        uncertain: calls of `add_task` on an object that the source does not tell, and no test ran.
        broken: files that could not be parsed.
        error: why the sites could not be looked for, or None.
    """

    sites: list[Tally] = field(default_factory=list)
    functions: list[Tally] = field(default_factory=list)
    uncertain: list[Key] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def ran(self) -> int:
        """How many sites had a task that ran."""
        return sum(site.ran > 0 for site in self.sites)

    @property
    def percent(self) -> float:
        """How many of 100 sites had a task that ran; 0 where there is no site."""
        return 100 * self.ran / len(self.sites) if self.sites else 0.0

    def lines(self, fail_under: float | None) -> list[dict[str, Any]]:
        """Return it for the JSON lines file."""
        total = {
            "sites": len(self.sites),
            "ran": self.ran,
            "asserted": sum(site.asserted > 0 for site in self.sites),
            "percent": round(self.percent, 2),
            "fail_under": fail_under,
            "uncertain": [{"file": file, "line": line} for file, line in self.uncertain],
            "not_parsed": self.broken,
            "error": self.error,
        }
        return [
            *(_site_line(site) for site in self.sites),
            *(_function_line(function) for function in self.functions),
            {"kind": "total", **total},
        ]


def _site_line(site: Tally) -> dict[str, Any]:
    place = {"file": site.file, "line": site.line, "function": site.name}
    more = {"funcs": sorted(site.funcs), "tests": sorted(site.tests)}
    return {"kind": "site", "site": place, **site.counts(), **more}


def _function_line(function: Tally) -> dict[str, Any]:
    place = {"file": function.file, "line": function.line} if function.file else None
    more = {"defined": place, "tests": sorted(function.tests)}
    return {"kind": "function", "func": function.name, **function.counts(), **more}


class TaskCoverage:
    """Takes what tasks did from the results of tests, and measures it at the end.

    Args:
        config: pytest's configuration.
        named: files, folders, and packages that the user names as the code under test.
    """

    def __init__(self, config: pytest.Config, named: Sequence[str]) -> None:
        self.root: Path = config.rootpath
        self._sources = Sources(config, named)
        self._imported: dict[str, list[str]] = {}
        self._runs: list[TaskRun] = []

    def add(self, payload: dict[str, Any]) -> None:
        """Take the results of one phase of a test, or of the end of one process."""
        self._runs += payload.get("coverage", ())
        for name, paths in payload.get("imported", {}).items():
            known = self._imported.setdefault(name, [])
            known += [path for path in paths if path not in known]

    def measure(self) -> Report:
        """Compare what ran with what the source has."""
        ran = {run["site"]["file"] for run in self._runs if run["site"]}
        try:
            files = self._sources.files(self._imported, ran)
        except UnknownSourceError as error:
            return Report(error=str(error))
        project = Project(files, self.root)
        report = _Join(self.root, files, find_sites(project)).report(self._runs)
        report.broken = [relative_to(str(path), str(self.root)) for path in project.broken]
        return report


class _Join:
    """Lays the tasks that ran over the sites that were found."""

    def __init__(self, root: Path, files: Iterable[Path], found: Iterable[FoundSite]) -> None:
        self.root = str(root)
        self.files = {relative_to(str(file), self.root) for file in files}
        self.found: dict[str, list[FoundSite]] = {}
        for site in found:
            self.found.setdefault(relative_to(str(site.file), self.root), []).append(site)
        self.sites: dict[Key, Tally] = {}
        self.functions: dict[tuple[str, str], Tally] = {}

    def report(self, runs: Iterable[TaskRun]) -> Report:
        """Count the tasks, and add what no test reached."""
        for run in runs:
            self._count(run)
        reached = set(self.sites)
        for file, sites in self.found.items():
            for site in sites:
                if site.certain and (file, site.line) not in reached:
                    self._add_unreached(file, site)
        uncertain = {
            (file, site.line) for file, sites in self.found.items() for site in sites
        } - set(self.sites)
        return Report(
            sorted(self.sites.values(), key=_place),
            sorted(self.functions.values(), key=_place),
            sorted(uncertain),
        )

    def _count(self, run: TaskRun) -> None:
        site = run["site"]
        if site is None or site["file"] not in self.files:
            return
        file, line = site["file"], self._first_line(site["file"], site["line"])
        tally = self.sites.setdefault((file, line), Tally(file, line, site["function"]))
        tally.funcs.add(run["func"])
        tally.add(run)
        defined = run["defined"] or {"file": "", "line": 0}
        key = (defined["file"], run["func"])
        known = self.functions.setdefault(key, Tally(defined["file"], defined["line"], run["func"]))
        known.add(run)

    def _first_line(self, file: str, line: int) -> int:
        """The first line of the call around a line, which Python may tell by a later line."""
        around = [site for site in self.found.get(file, ()) if site.line <= line <= site.end]
        nearest = min(around, key=lambda site: site.end - site.line, default=None)
        return line if nearest is None else nearest.line

    def _add_unreached(self, file: str, site: FoundSite) -> None:
        tally = self.sites.setdefault((file, site.line), Tally(file, site.line, site.function))
        tally.funcs.add(site.func)
        if site.defined is not None:
            path, name, line = site.defined
            key = (relative_to(str(path), self.root), name)
            self.functions.setdefault(key, Tally(key[0], line, name))


def _place(tally: Tally) -> tuple[str, int, str]:
    return tally.file, tally.line, tally.name
