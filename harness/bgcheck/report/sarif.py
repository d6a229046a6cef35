"""Findings as SARIF 2.1.0, for code scanning: the location is the schedule site."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bgcheck import __version__
from bgcheck.checks.registry import find_check
from bgcheck.report.baseline import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgcheck.checks.base import Check
    from bgcheck.report.findings import Line

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS = {"error": "error", "warning": "warning", "opt-in": "note"}


def write(path: Path, lines: Sequence[Line], root: Path) -> None:
    """Write a SARIF log with one run.

    Args:
        path: the file to write.
        lines: the findings.
        root: the rootdir, to which the locations are relative.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(sarif(lines, root), indent=2) + "\n", encoding="utf-8")


def sarif(lines: Sequence[Line], root: Path) -> dict[str, Any]:
    """Return the SARIF log of some findings."""
    codes = sorted({line["code"] for line in lines})
    rules = [_rule(check) for code in codes if (check := find_check(code)) is not None]
    run = {
        "tool": {"driver": {"name": "bgcheck", "version": __version__, "rules": rules}},
        "originalUriBaseIds": {"ROOT": {"uri": f"{root.resolve().as_uri()}/"}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(line, codes.index(line["code"])) for line in lines],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(check: type[Check]) -> dict[str, Any]:
    level = {"E": "error", "W": "warning", "O": "note"}[check.default]
    return {
        "id": check.code,
        "name": check.name,
        "shortDescription": {"text": check.summary},
        "help": {"text": f"{check.way_out} More: bgcheck explain {check.code}"},
        "defaultConfiguration": {"level": level, "enabled": check.default != "O"},
    }


def _result(line: Line, rule: int) -> dict[str, Any]:
    fingerprint = hashlib.sha256("\0".join(key_of(line)).encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": line["code"],
        "ruleIndex": rule,
        "level": _LEVELS[line["level"]],
        "message": {"text": f"{line['message']} {line['way_out']}"},
        "partialFingerprints": {"bgcheck/v1": fingerprint},
        "occurrenceCount": line["count"],
        "properties": {"tests": line["tests"], "task": line["task"], "request": line["request"]},
    }
    if line["site"] is not None:
        result["locations"] = [_location(line["site"])]
    return result


def _location(site: dict[str, Any]) -> dict[str, Any]:
    file = Path(site["file"])
    where: dict[str, Any] = {"uri": quote(file.as_posix()), "uriBaseId": "ROOT"}
    if file.is_absolute():
        where = {"uri": file.as_uri()}
    return {
        "physicalLocation": {"artifactLocation": where, "region": {"startLine": site["line"]}},
        "logicalLocations": [{"fullyQualifiedName": site["function"], "kind": "function"}],
    }
