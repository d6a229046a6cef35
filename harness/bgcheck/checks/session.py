"""The checks of one process: which are on, what is silenced, and results as plain data."""

from __future__ import annotations

import importlib
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bgcheck.checks.engine import Engine
from bgcheck.checks.patterns import patterns_of
from bgcheck.checks.relevance import awaited_modules
from bgcheck.checks.selection import Selection, best_match
from bgcheck.checks.suppress import is_ignored_by_comment, is_ignored_by_path, relative_to
from bgcheck.instrument.hub import hub
from bgcheck.instrument.imports import ImportHooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bgcheck.checks.base import Check, Finding
    from bgcheck.config import Options
    from bgcheck.coverage.runs import Definitions
    from bgcheck.recorder.record import ScheduledTask, Site


class CheckSession:
    """The checks that are on, and what their findings come to.

    Args:
        options: the options of the session.
        root: the rootdir; files in it are written relative to it.
    """

    def __init__(self, options: Options, root: str) -> None:
        self.options = options
        self.root = root
        self.selection: Selection = Selection(options.select, options.ignore)
        self.unsupported: dict[str, str] = {}
        self.engine: Engine = Engine(
            [self._made(check) for check in self.selection.checks() if self._works(check)]
        )
        self.definitions: Definitions | None = None
        if options.coverage:
            from bgcheck.coverage.runs import Definitions

            self.definitions = Definitions(root)
        self._tasks_seen = 0
        self._lines: dict[tuple[object, ...], tuple[Any, ...]] = {}
        """The lines of plain tasks, by what makes them alike."""
        self._errors: list[str] = []

    def _works(self, check: Any) -> bool:
        reason = check.unsupported()
        if reason is not None:
            self.unsupported[check.code] = reason
        return reason is None

    def _made(self, kind: type[Check]) -> Check:
        check = kind()
        check.selected = self.selection.names(kind.code)
        return check

    @contextmanager
    def instruments(self) -> Iterator[None]:
        """Turn on what the checks need beyond tasks and requests, for a block."""
        needed = dict.fromkeys(
            name
            for check in self.engine.checks
            for name in check.instruments + (check.opt_in_instruments if check.selected else ())
        )
        hooks = ImportHooks()
        hooks.install(dict.fromkeys(awaited_modules(self.engine.checks), self._imported))
        with ExitStack() as stack:
            stack.callback(hooks.uninstall)
            for name in needed:
                module = importlib.import_module(f"bgcheck.instrument.{name}")
                module.install()
                stack.callback(module.uninstall)
            yield

    def _imported(self, module: object) -> None:
        """Wake the checks that have waited for a module."""
        hub.guard(self.engine.wake)
        hub.refresh()

    def kept(self, findings: Iterable[Finding], ignored: Sequence[str]) -> list[Finding]:
        """Drop the findings that the user has silenced.

        Args:
            findings: what was found in one test.
            ignored: codes and prefixes that the test's markers name.
        """
        return [
            finding
            for finding in findings
            if best_match(finding.code, ignored) is None
            and not is_ignored_by_path(
                finding.code, self._files(finding), self.options.per_path_ignores
            )
            and not is_ignored_by_comment(finding.code, finding.site)
        ]

    def _files(self, finding: Finding) -> Iterator[str]:
        if finding.site is not None:
            yield relative_to(finding.site.file, self.root)
        if finding.test is not None:
            yield finding.test.partition("::")[0]

    def failing(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings that fail a test in strict mode: those that no baseline lists."""
        from bgcheck.report.baseline import known_keys

        known = known_keys(self.options.baseline) if self.options.baseline else set()
        return [
            finding
            for finding in findings
            if self.selection.fails(finding.code, finding.default)
            and _key(self.finding_line(finding)) not in known
        ]

    def payload(
        self, findings: Sequence[Finding], tasks: Sequence[ScheduledTask], test: str | None
    ) -> dict[str, Any]:
        """Return results as plain data; empty where there are none."""
        self._tasks_seen += len(tasks)
        payload: dict[str, Any] = {}
        if findings:
            payload["findings"] = [self.finding_line(finding) for finding in findings]
        if tasks:
            payload["tasks"] = [self.task_line(task, test) for task in tasks]
            if self.definitions is not None:
                pairs = zip(payload["tasks"], tasks, strict=True)
                payload["coverage"] = [self.definitions.run_of(*pair) for pair in pairs]
        return payload

    def notes(self) -> dict[str, Any]:
        """Return what went wrong in bgcheck itself, and which checks had to stay quiet."""
        quiet = dict(self.unsupported)
        for check in self.engine.checks:
            reason = check.absent()
            if reason is not None:
                quiet[check.code] = reason
        return {"quiet": quiet if self._tasks_seen else {}, "errors": self._errors}

    def note_errors(self) -> None:
        """Keep in words what went wrong in bgcheck itself."""
        self._errors += map(repr, hub.errors)

    def finding_line(self, finding: Finding) -> dict[str, Any]:
        """Return a finding as the JSON lines file has it."""
        line = asdict(finding)
        line.pop("covers")
        line["evidence"] = [(label, self._text(item)) for label, item in finding.evidence]
        line["site"] = self._site(finding.site)
        line["level"] = finding.level
        line["fails"] = self.selection.fails(finding.code, finding.default)
        line["count"] = 1
        return line

    def _text(self, item: str | Site) -> str:
        if isinstance(item, str):
            return item
        return f"{relative_to(item.file, self.root)}:{item.line} in {item.function}"

    def task_line(self, task: ScheduledTask, test: str | None) -> dict[str, Any]:
        """Return a task as the JSON lines file has it."""
        if not task.plain or task.request is None or task.asserted:
            return self._task_line(task, test)
        patterns = task.request.patterns
        key = id(task.site), id(task.shape), id(patterns), task.name, task.group is None
        known = self._lines.get(key)
        if known is None:  # what has the ids is kept with them
            line = self._task_line(task, test)
            known = self._lines[key] = (line, task.site, task.shape, patterns)
        return {**known[0], "test": test}

    def _task_line(self, task: ScheduledTask, test: str | None) -> dict[str, Any]:
        return {
            "func": task.name,
            "site": self._site(task.site),
            "outcome": task.outcome,
            "patterns": patterns_of(task),
            "asserted": task.asserted or task.failure_seen,
            "test": test,
        }

    def _site(self, site: Site | None) -> dict[str, Any] | None:
        if site is None:
            return None
        file = relative_to(site.file, self.root)
        return {"file": file, "line": site.line, "function": site.function}

    def properties(self, payload: dict[str, Any]) -> list[tuple[str, object]]:
        """Return the JUnit properties of a test's results."""
        return [
            (f"bgcheck.{line['code']}", f"{_place(line)}: {line['message']}")
            for line in payload.get("findings", ())
        ]


def _place(line: dict[str, Any]) -> str:
    site = line["site"]
    return "unknown line" if site is None else f"{site['file']}:{site['line']}"


def _key(line: dict[str, Any]) -> tuple[str, ...]:
    from bgcheck.report.baseline import key_of

    return key_of(line)
