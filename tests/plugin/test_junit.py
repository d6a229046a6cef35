"""JUnit properties of the findings, in pytest's own `--junitxml`."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from checks_plugin_lab import Project


def properties(project: Project, *options: str) -> dict[str, dict[str, str]]:
    """Run and read the properties by test."""
    project.run("--junitxml=out.xml", *options)
    cases = ET.parse(project.path / "out.xml").iter("testcase")
    return {
        str(case.get("name")): {
            str(one.get("name")): str(one.get("value")) for one in case.iter("property")
        }
        for case in cases
    }


def test_properties(project: Project) -> None:
    assert properties(project) == {
        "test_fails": {
            "bgcheck.BG201": "shop.py:15: boom failed with ValueError, and the test did not "
            "expect it."
        },
        "test_twice": {
            "bgcheck.BG105": "shop.py:21: send was scheduled twice in one request with the same "
            "arguments."
        },
        "test_fine": {},
    }


def test_off(project: Project) -> None:
    assert set(map(len, properties(project, "--bgcheck=off").values())) == {0}


def test_strict_is_a_failure(project: Project) -> None:
    project.run("--junitxml=out.xml", "--bgcheck=strict")
    failures = list(ET.parse(project.path / "out.xml").iter("failure"))
    assert len(failures) == 1
    assert "BG201 task-failed" in str(failures[0].text)
