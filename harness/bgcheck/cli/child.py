"""Runs one suite under pytest in a process of its own, and follows its results as they come."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# What a user's environment says to their own pytest must not reach the suite.
_FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONWARNINGS", "PYTHONPROFILEIMPORTTIME")

# pytest's own exit codes for a run that it could not do: interrupted, internal error, usage.
_BROKEN = frozenset({2, 3, 4})


@dataclass(frozen=True)
class Child:
    """How a suite's process ended."""

    suite: str
    returncode: int

    @property
    def broken(self) -> str:
        """Why pytest could not run the suite, or an empty string."""
        if self.returncode in _BROKEN:
            code = self.returncode
            return f"pytest could not run the {self.suite} suite (exit {code}; see pytest.log)"
        return ""


@dataclass(frozen=True)
class SuiteRun:
    """What is asked of a suite's process; `files` are those of the suite that it needs, or all."""

    suite: str
    directory: Path
    results: Path
    log: Path
    select: Sequence[str] = ()
    fault: str | None = None
    plugins: Sequence[str] = ()
    perturb: int = 0
    record: bool = False
    expectations: Path | None = None
    files: Sequence[str] = ()

    def command(self) -> list[str]:
        """Return the command line: pytest with nothing but what the suite itself needs."""
        options = ["-p", "no:cacheprovider", "-p", "bgcheck_suites.streaming"]
        for plugin in self.plugins:
            options += ["-p", plugin]
        options += ["--conform-results", str(self.results), "--conform-suite", self.suite]
        for prefix in self.select:
            options += ["--conform-select", prefix]
        if self.fault:
            options += ["--conform-plant", self.fault]
        if self.perturb:
            options += ["--conform-perturb", str(self.perturb)]
        if self.record:
            options += ["--conform-record"]
        if self.expectations:
            options += ["--conform-expectations", str(self.expectations)]
        return [
            *(sys.executable, "-m", "pytest", "-c", str(self.directory / "conform.ini")),
            *("--rootdir", str(self.directory), "--continue-on-collection-errors"),
            *(*options, "-v", "--tb=short", "--color=no"),
            *(str(self.directory / self.suite / name) for name in self.files or [""]),
        ]


def follow(run: SuiteRun, on_line: Callable[[str], None]) -> Child:
    """Run a suite to its end, and hand over each line of results as soon as it is written.

    pytest's own output goes to the log file; each of its lines is the signal to look for results.
    """
    lines = _new_lines(run.results)
    process = subprocess.Popen(
        run.command(),
        cwd=run.results.parent,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    with process, run.log.open("a", encoding="utf-8") as log:
        _drain(process.stdout, log, lambda: _hand_over(lines, on_line))
        returncode = process.wait()
    _hand_over(lines, on_line)
    return Child(run.suite, returncode)


def _drain(output: IO[str], log: IO[str], signal: Callable[[], None]) -> None:
    for line in output:
        log.write(line)
        signal()


def _hand_over(lines: Iterator[str | None], on_line: Callable[[str], None]) -> None:
    while (line := next(lines)) is not None:
        on_line(line)


def _new_lines(path: Path) -> Iterator[str | None]:
    """Yield the complete lines that are appended from now on, and None where there are no more."""
    with path.open(encoding="utf-8") as stream:
        stream.seek(0, os.SEEK_END)
        pending = ""
        while True:
            pending += stream.readline()
            if pending.endswith("\n"):
                yield pending
                pending = ""
            else:
                yield None


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONUNBUFFERED": "1"}
