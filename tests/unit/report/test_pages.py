"""The HTML page, the JUnit file and the table of a run."""

import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bgcheck.report.gate import decide
from bgcheck.report.html import render_page
from bgcheck.report.junit import render_junit
from bgcheck.report.results import Result, Run
from bgcheck.report.table import Screen
from bgcheck_suites.reproduce import reproduction

RESULTS = [
    Result("BGF-ORDER-01", "framework", "pass", "Tasks run in order.", "MUST", duration=0.25),
    Result(
        "BGF-ORDER-02",
        "framework",
        "fail",
        "Tasks run <once>.",
        "MUST",
        message="It ran twice & more.",
        evidence=("#1 <task>", "#2 task [server]"),
        tests=("test_order.py::test_once",),
    ),
    Result("BGF-MW-01", "framework", "warn", "It is quick.", "SHOULD", message="It is not."),
    Result("BGF-MW-02", "framework", "pass", "When.", kind="behaviour", observed="late"),
    Result("BGR-NEW-01", "reference", "not-applicable", "New.", "MUST", message="since 2.0"),
    Result(
        "BGR-NEW-02",
        "reference",
        "not-testable",
        "Newer.",
        "MUST",
        message="KeyError: \x1b[31m1",
        suite_error=True,
    ),
]
HEADER = {"version": "1.2.3", "stack": {"python": "3.13.0", "fastapi": "0.165.0"}, "expected": 6}


@pytest.fixture
def run():
    """A complete run with one result of most kinds."""
    return Run(dict(HEADER), list(RESULTS), footer={"complete": True})


class Elements(HTMLParser):
    """Collects what a page refers to, and checks that its elements nest."""

    VOID = frozenset({"meta", "br", "input", "link", "img"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.references = []
        self.classes = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.references += [named[key] for key in ("src", "href") if key in named]
        self.classes += (named.get("class") or "").split()
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page):
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    return elements


def test_the_page_is_whole_and_refers_to_nothing(run):
    page = render_page(run, decide(run))
    assert parsed(page).references == []
    assert "url(" not in page
    assert "@import" not in page
    assert "<script" not in page


def test_the_page_escapes_what_it_shows(run):
    page = render_page(run, decide(run))
    assert "Tasks run &lt;once&gt;." in page
    assert "#1 &lt;task&gt;" in page


def test_the_page_has_a_row_for_each_result(run):
    page = render_page(run, decide(run))
    assert parsed(page).classes.count("row") == len(RESULTS)
    for result in RESULTS:
        assert page.count(f"--select {result.id}") >= 1


def test_the_page_shows_problems_first(run):
    page = render_page(run, decide(run))
    assert re.findall(r'<article class="problem ([\w-]+)"', page) == [
        "fail",
        "warn",
        "not-testable",
    ]
    assert page.index("What to look at first") < page.index('class="filter"')


def test_the_numbers_of_the_page_are_those_of_the_run(run):
    page = render_page(run, decide(run))
    assert "<strong>1<small>/3</small></strong> MUST" in page
    assert "<strong>0<small>/1</small></strong> SHOULD" in page
    assert "<strong>1<small>/1</small></strong> behaviours as recorded" in page
    assert "6 of 6 requirements measured" in page


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"results": RESULTS[:1], "header": {**HEADER, "expected": 1}}, "This stack conforms"),
        ({"results": RESULTS[:2], "header": {**HEADER, "expected": 2}}, "does not conform"),
        ({"footer": None, "results": RESULTS[:2]}, "Inconclusive"),
        ({}, "The suite itself is broken"),
    ],
)
def test_the_page_says_how_it_went(run, change, title):
    for name, value in change.items():
        setattr(run, name, value)
    assert title in render_page(run, decide(run))


def test_the_page_says_that_it_is_incomplete(run):
    run.footer, run.results = None, RESULTS[:2]
    assert "Incomplete: 2 of 6 requirements measured." in render_page(run, decide(run))


def test_the_page_says_that_a_fault_was_planted(run):
    run.header["planted"] = "runs-twice"
    assert "broken on purpose (<code>runs-twice</code>)" in render_page(run, decide(run))


def test_a_run_without_anything_has_a_page():
    empty = Run()
    assert "Inconclusive" in render_page(empty, decide(empty))


def junit(run):
    return ET.fromstring(render_junit(run, decide(run)))


def test_junit_has_a_case_for_each_result(run):
    root = junit(run)
    names = [case.get("name") for case in root.iter("testcase")]
    expected = [f"{result.id} {result.requirement}" for result in RESULTS]
    assert names == [*expected, "run is complete"]


def test_junit_counts_what_it_holds(run):
    root = junit(run)
    for suite in root:
        for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(key)) == len(list(suite.iter(tag)))
        assert int(suite.get("tests")) == len(suite)
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7",
        "failures": "1",
        "errors": "2",
        "skipped": "2",
    }


def test_junit_tells_failure_warning_and_bug_apart(run):
    root = junit(run)
    script = reproduction("BGF-ORDER-02")
    assert root.find(".//failure").text == (
        f"It ran twice & more.\n#1 <task>\n#2 task [server]\n\n{script}"
    )
    messages = [skipped.get("message") for skipped in root.iter("skipped")]
    assert messages == ["warn: It is not.", "not-applicable: since 2.0"]
    assert root.find(".//error").get("message") == "KeyError: [31m1"


def test_junit_of_a_conforming_run_has_no_verdict():
    run = Run({**HEADER, "expected": 1}, RESULTS[:1], footer={"complete": True})
    assert [suite.get("name") for suite in junit(run)] == ["framework"]


def shown(run, **options):
    console = Console(file=io.StringIO(), width=100, highlight=False)
    Screen(console=console, **options).show(run, decide(run), Path("report"))
    return console.file.getvalue()


def test_the_table_has_each_result_and_explains_failures(run):
    run.results = RESULTS[:5]
    run.header["expected"] = 5
    lines = [line.rstrip() for line in shown(run).splitlines()]
    assert lines == [
        "id            level   status          requirement",
        "BGF-ORDER-01  MUST    pass            Tasks run in order.",
        "BGF-ORDER-02  MUST    fail            Tasks run <once>.",
        "BGF-MW-01     SHOULD  warn            It is quick.",
        "BGF-MW-02     -       pass            When. late",
        "BGR-NEW-01    MUST    not-applicable  New. since 2.0",
        "BGF-ORDER-02 fail Tasks run <once>.",
        "    It ran twice & more.",
        "    #1 <task>",
        "    #2 task [server]",
        "    Repeat: bgcheck conform --select BGF-ORDER-02 -v",
        "",
        "BGF-MW-01 warn It is quick.",
        "    It is not.",
        "    Repeat: bgcheck conform --select BGF-MW-01 -v",
        "",
        "stack: python 3.13.0, fastapi 0.165.0",
        "Does not conform: BGF-ORDER-02: fail",
        f"report: {Path('report') / 'index.html'}",
    ]


def test_verbose_progress_shows_each_result():
    console = Console(file=io.StringIO(), width=100, highlight=False)
    with Screen(verbose=True, console=console).progress(2) as advance:
        advance({"type": "requirement", "id": "BGF-A-01", "status": "pass"})
        advance({"type": "suite-end", "suite": "framework"})
    assert "BGF-A-01       pass" in console.file.getvalue()
    assert "framework" not in console.file.getvalue()


def test_the_page_has_the_script_of_what_does_not_hold(run):
    page = html.unescape(render_page(run, decide(run)))
    assert reproduction("BGF-ORDER-02") in page
    assert reproduction("BGF-MW-01") in page
    assert reproduction("BGF-ORDER-01") not in page


@pytest.mark.parametrize("verbose", [False, True])
def test_the_screen_has_it_where_it_is_asked_to_say_more(run, verbose, tmp_path):
    console = Console(width=100, record=True, file=io.StringIO())
    Screen(verbose=verbose, console=console).show(run, decide(run), tmp_path)
    last = reproduction("BGF-ORDER-02").splitlines()[-1]
    assert (last in console.export_text()) is verbose
