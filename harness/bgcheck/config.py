"""The options of bgcheck: command line, then pytest's ini file, then `[tool.bgcheck]`."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgcheck.instrument.imports import ImportHooks

if TYPE_CHECKING:
    from pathlib import Path

MODES: Final = ("off", "report", "strict")

EXPECTATIONS: Final = "expectations.toml"

KEYS: Final[tuple[str, ...]] = (
    "mode",
    "select",
    "ignore",
    "per-path-ignores",
    "baseline",
    "coverage",
    "coverage-fail-under",
    "coverage-source",
    "expectations",
)
"""The keys of `[tool.bgcheck]`."""


@dataclass(frozen=True)
class Options:
    """The options of one session.

    Attributes:
        mode: `off`, `report` or `strict`.
        select: codes, prefixes, `ALL`, `DEFAULT`.
        ignore: the same.
        per_path_ignores: codes and prefixes by glob pattern.
        baseline: the baseline file, or None.
        json: the JSON lines file to write, or None.
        sarif: the SARIF file to write, or None.
        coverage: measure task coverage.
        coverage_fail_under: the percentage below which it fails the session, or None.
        coverage_source: files, folders and packages under test; none means those imported.
    """

    mode: str = "report"
    select: tuple[str, ...] = ("DEFAULT",)
    ignore: tuple[str, ...] = ()
    per_path_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: Path | None = None
    json: Path | None = None
    sarif: Path | None = None
    coverage: bool = False
    coverage_fail_under: float | None = None
    coverage_source: tuple[str, ...] = ()


def add_options(parser: pytest.Parser) -> None:
    """Add the options of the checks to pytest's."""
    group = parser.getgroup("bgcheck", "background tasks")
    group.addoption(
        "--bgcheck",
        metavar="MODE",
        help="checks of background tasks: off, report (default), or strict: a finding fails its "
        "test",
    )
    for name, text in (("select", "turn on, such as BG3,BG105"), ("ignore", "turn off")):
        group.addoption(
            f"--bgcheck-{name}",
            action="append",
            metavar="CODES",
            help=f"codes and prefixes of checks to {text}",
        )
    for name, text in (
        ("baseline", "known findings; a new one fails, and so does one that is gone"),
        ("json", "write findings and tasks as JSON lines"),
        ("sarif", "write findings as SARIF 2.1.0"),
        ("expectations", f"what is known to fail of the contract (default: {EXPECTATIONS})"),
    ):
        group.addoption(f"--bgcheck-{name}", metavar="FILE", help=text)
    _add_coverage_options(parser, group)
    parser.addini("bgcheck", "mode of the checks: off, report or strict", default=None)
    parser.addini("bgcheck_select", "checks to turn on", type="args", default=None)
    parser.addini("bgcheck_ignore", "checks to turn off", type="args", default=None)
    parser.addini(
        "bgcheck_per_path_ignores", "lines `pattern: BG1, BG301`", type="linelist", default=None
    )
    parser.addini("bgcheck_baseline", "file of known findings", default=None)
    parser.addini("bgcheck_expectations", "file of known failures of the contract", default=None)


def _add_coverage_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    group.addoption(
        "--bgcheck-coverage",
        action="store_true",
        default=None,
        help="show which task functions and schedule sites the tests reach",
    )
    group.addoption(
        "--bgcheck-coverage-fail-under",
        metavar="PERCENT",
        help="fail if tasks ran at less than this many of 100 schedule sites; turns the table on",
    )
    group.addoption(
        "--bgcheck-coverage-source",
        action="append",
        metavar="SOURCE",
        help="file, folder or package under test (default: what the tests import of the rootdir)",
    )
    parser.addini("bgcheck_coverage", "measure task coverage", type="bool", default=None)
    parser.addini("bgcheck_coverage_fail_under", "lowest task coverage in percent", default=None)
    parser.addini("bgcheck_coverage_source", "code under test", type="args", default=None)


def resolve(config: pytest.Config) -> Options:
    """Return the options of a session.

    Raises:
        pytest.UsageError: a value is wrong; the message says where it stands and what is valid.
    """
    return _Resolver(config).options()


def expectations_of(config: pytest.Config) -> Path | None:
    """Return the file of what is known to fail of the contract, if there is one.

    Raises:
        pytest.UsageError: one is named, and is not there.
    """
    return _Resolver(config).expectations()


def start(config: pytest.Config) -> None:
    """Run the checks in this session, unless they are off, or only help is asked for.

    With nothing but defaults they begin when Starlette is imported: a session without it pays
    for none of them.

    Raises:
        pytest.UsageError: an option is wrong.
    """
    if config.option.help or config.option.version:
        return
    options = resolve(config)
    if options.mode == "off":
        return
    if options == Options() and not hands_tests_out(config):
        hooks = ImportHooks()
        hooks.install({"starlette.background": lambda _: _begin_late(config, options)})
        config.add_cleanup(hooks.uninstall)
    else:
        _begin(config, options)


def _begin(config: pytest.Config, options: Options) -> None:
    from bgcheck.watch import watch

    watch(config, options)


def _begin_late(config: pytest.Config, options: Options) -> None:
    from bgcheck.instrument.hub import hub  # not needed by a session without a framework

    hub.guard(_begin, config, options)


def hands_tests_out(config: pytest.Config) -> bool:
    """Whether workers of xdist run the tests, and this process takes their results."""
    return bool(config.getoption("tx", None)) or bool(config.getoption("numprocesses", None))


class _Resolver:
    """Finds each option, and remembers where it stands."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.table = read_table(config.rootpath / "pyproject.toml")

    def options(self) -> Options:
        mode = self._mode()
        fail_under = self._coverage_fail_under(mode)
        return Options(
            mode=mode,
            select=self._codes("select") or ("DEFAULT",),
            ignore=self._codes("ignore"),
            per_path_ignores=self._per_path_ignores(),
            baseline=self._baseline(),
            json=self._file("json"),
            sarif=self._file("sarif"),
            coverage=self._coverage(mode) or fail_under is not None,
            coverage_fail_under=fail_under,
            coverage_source=self._coverage_source(),
        )

    def _find(self, key: str) -> tuple[Any, str]:
        """Return a value, or None, and the place where it stands."""
        option = "--bgcheck" if key == "mode" else f"--bgcheck-{key}"
        value = self.config.getoption(option, None)
        if value is not None:
            return value, option
        ini = "bgcheck" if key == "mode" else f"bgcheck_{key.replace('-', '_')}"
        if key in KEYS:
            value = self.config.getini(ini)
            if value:
                return value, f"{ini} in {_ini_name(self.config)}"
        return self.table.get(key), f"{key} in [tool.bgcheck]"

    def _mode(self) -> str:
        value, place = self._find("mode")
        if value is None:
            return "report"
        if value not in MODES:
            raise pytest.UsageError(
                f"{place}: {value!r} is no mode of the checks. Valid are: {', '.join(MODES)}."
            )
        return str(value)

    def _codes(self, key: str) -> tuple[str, ...]:
        value, place = self._find(key)
        return as_codes(value, place)

    def _per_path_ignores(self) -> dict[str, tuple[str, ...]]:
        value, place = self._find("per-path-ignores")
        if isinstance(value, list):
            value = dict(_split_line(line, place) for line in value)
        if value is not None and not isinstance(value, dict):
            raise pytest.UsageError(
                f"{place}: {value!r} is no table. Write patterns with lists of codes, such as "
                '"tests/legacy/*" = ["BG201"].'
            )
        return {p: as_codes(codes, f"{place}, {p!r}") for p, codes in (value or {}).items()}

    def _baseline(self) -> Path | None:
        path = self._file("baseline")
        if path is not None:
            from bgcheck.report.baseline import BaselineError, read

            try:
                read(path)
            except BaselineError as error:
                place = self._find("baseline")[1]
                raise pytest.UsageError(f"{place}: {error}") from None
        return path

    def expectations(self) -> Path | None:
        path, place = self._file("expectations"), self._find("expectations")[1]
        if path is None:
            default = self.config.rootpath / EXPECTATIONS
            return default if default.is_file() else None
        if not path.is_file():
            raise pytest.UsageError(f"{place}: {path} is not there.")
        return path

    def _coverage(self, mode: str) -> bool:
        value, place = self._find("coverage")
        if value is not None and not isinstance(value, bool):
            raise pytest.UsageError(f"{place}: {value!r} is neither true nor false.")
        _check_on(mode, place if value else "")
        return bool(value)

    def _coverage_fail_under(self, mode: str) -> float | None:
        value, place = self._find("coverage-fail-under")
        if value is None:
            return None
        try:
            percent = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            percent = math.nan
        _check_on(mode, place)
        if not 0 <= percent <= 100:
            raise pytest.UsageError(f"{place}: {value!r} is no number from 0 to 100.")
        return percent

    def _coverage_source(self) -> tuple[str, ...]:
        value, place = self._find("coverage-source")
        parts = [value] if isinstance(value, str) else value or []
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise pytest.UsageError(
                f'{place}: {value!r} is no list of sources. Write it as ["src/shop"].'
            )
        return tuple(name for part in parts for name in part.split(",") if name)

    def _file(self, key: str) -> Path | None:
        value, place = self._find(key)
        if not value:
            return None
        if not isinstance(value, str):
            raise pytest.UsageError(f"{place}: {value!r} is no file name.")
        typed = place.startswith("--")
        path = (self.config.invocation_params.dir if typed else self.config.rootpath) / value
        if path.exists() and not path.is_file():
            raise pytest.UsageError(f"{place}: {value} is not a regular file.")
        return path


def _check_on(mode: str, place: str) -> None:
    """Refuse what was typed and cannot be had while the checks are off."""
    if mode == "off" and place.startswith("--"):
        raise pytest.UsageError(
            f"{place} needs the checks, and they are off. Choose --bgcheck=report."
        )


def _split_line(line: str, place: str) -> tuple[str, str]:
    pattern, colon, codes = line.rpartition(":")
    if not colon:
        raise pytest.UsageError(f"{place}: {line!r} has no colon. Write `pattern: BG1, BG301`.")
    return pattern.strip(), codes


def as_codes(value: object, place: str) -> tuple[str, ...]:
    """Return codes and prefixes from a list, or from a text with commas or blanks.

    Args:
        value: what the user wrote.
        place: where it stands, for the message.

    Raises:
        pytest.UsageError: it is neither, or a code matches no check.
    """
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise pytest.UsageError(
            f'{place}: {value!r} is no list of codes. Write it as ["BG301", "BG2"].'
        )
    codes = tuple(code for part in parts for code in re.split(r"[,\s]+", part) if code)
    _check_codes(codes, place)
    return codes


def _check_codes(codes: tuple[str, ...], place: str) -> None:
    from bgcheck.checks.registry import check_pattern

    for code in codes:
        try:
            check_pattern(code)
        except ValueError as error:
            raise pytest.UsageError(f"{place}: {error}") from None


def read_table(path: Path) -> dict[str, Any]:
    """Return `[tool.bgcheck]` of a pyproject.toml; empty where there is none.

    Raises:
        pytest.UsageError: it has a key that bgcheck does not know.
    """
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    if "bgcheck" not in text:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(text).get("tool", {}).get("bgcheck", {})
    except tomllib.TOMLDecodeError:  # pytest itself reports it where it matters
        return {}
    unknown = [key for key in table if key not in KEYS]
    if unknown:
        raise pytest.UsageError(
            f"[tool.bgcheck] in {path.name}: unknown key {unknown[0]!r}. "
            f"Valid are: {', '.join(KEYS)}."
        )
    return dict(table)


def _ini_name(config: pytest.Config) -> str:
    return config.inipath.name if config.inipath is not None else "the ini file"
