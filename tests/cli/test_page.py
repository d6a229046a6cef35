"""`bgcheck page`, on a database, on cells and on runs."""

import json
import re
from html.parser import HTMLParser

import pytest

from bgcheck.cli import main
from bgcheck.report.html import code_span
from bgcheck.report.results import Result, write_line, write_result
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name, write_cell
from bgcheck_suites.matrix.database import derive, load_database, write, write_cells
from bgcheck_suites.reproduce import reproduction

VALUES = {
    "0.105.0": {"BGF-DEPS-04": "task, exit", "BGF-ORDER-01": "holds", "BGF-ORDER-02": "holds"},
    "0.106.0": {"BGF-DEPS-04": "exit, task", "BGF-ORDER-01": "holds", "BGF-ORDER-02": "<&>"},
    "0.117.1": {"BGF-DEPS-04": "exit, task", "BGF-ORDER-01": "holds", "BGF-ORDER-02": "<&>"},
}


def cell(fastapi, values):
    stack = {"python": "3.12.1", "fastapi": fastapi, "starlette": "0.40.0", "anyio": "4.0"}
    seen = {
        id_: Observation(id_, value, "pass", evidence=(f"#1 <{value}>",))
        for id_, value in values.items()
    }
    return Cell(cell_name(stack), {}, stack, "measured", observations=seen)


@pytest.fixture(scope="module")
def cells():
    measured = [cell(fastapi, values) for fastapi, values in VALUES.items()]
    unbuilt = Cell("py3.12-fastapi0.1", {"fastapi": "0.1"}, {}, "unbuilt", "no such release")
    return [*measured, unbuilt]


@pytest.fixture(scope="module")
def database(cells, tmp_path_factory):
    directory = tmp_path_factory.mktemp("database")
    write(derive(cells), directory)
    write_cells(cells, directory)
    return directory


class Page(HTMLParser):
    """The parts of a page that a reader without scripts has."""

    VOID = frozenset({"meta", "br", "input", "col"})

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.rows = {}
        self.links = []
        self.ids = set()
        self.loaded = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.loaded += [named[key] for key in ("src", "action", "poster", "data") if key in named]
        if "href" in named:
            self.links.append(named["href"])
        if "id" in named:
            assert named["id"] not in self.ids
            self.ids.add(named["id"])
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.row = []
        if tag == "td":
            self.span = int(named.get("colspan", 1))
        if tag == "a" and "td" in self.open:
            self.row += [named["title"]] * self.span
            self.rows[named["href"].removeprefix("#")] = self.row

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(database):
    file = database / "page.html"
    assert main(["page", str(database), "-o", str(file)]) == 0
    return file.read_text("utf-8")


def test_the_values_of_the_table_are_those_of_the_records(page, database):
    files = {file.stem: json.loads(file.read_text()) for file in database.glob("BG*.json")}
    assert {id_: sorted(values) for id_, values in Page(page).rows.items()} == {
        id_: sorted(record["values"].values()) for id_, record in files.items()
    }
    assert Page(page).rows["BGF-DEPS-04"] == ["task, exit", "exit, task", "exit, task"]


def test_the_numbers_of_the_page_are_those_of_the_records(page, database):
    files = [json.loads(file.read_text()) for file in database.glob("BG*.json")]
    listed = json.loads((database / "cells.json").read_text())
    differing = [record for record in files if len(set(record["values"].values())) > 1]
    changes = sum(len(record["ranges"]) - 1 for record in files)
    numbers = re.findall(r"<li><strong>(\d+)(?:<small>/(\d+)</small>)?</strong> ([^<]+)</li>", page)
    assert numbers == [
        (str(len(files)), "", "probes"),
        (str(sum(entry["status"] == "measured" for entry in listed)), "", "sets of versions"),
        (str(len(differing)), "", "differ between them"),
        (str(changes), "", "change points"),
        ("1", "2", "MUST hold in all"),
    ]


def test_change_points_are_marked(page):
    assert re.findall(r'<td class="\w+ changed[^>]*><a href="#([\w-]+)" title="([^"]+)"', page) == [
        ("BGF-DEPS-04", "exit, task"),
        ("BGF-ORDER-02", "&lt;&amp;&gt;"),
    ]
    assert re.findall(r"<td(?: class=\"some\")?>(\d*)</td>", page) == ["", "2", ""]


def test_the_page_loads_nothing(page):
    parsed = Page(page)
    assert parsed.loaded == []
    assert all(link.startswith("#") for link in parsed.links)
    styles_and_scripts = "".join(re.findall(r"(?s)<(?:style|script)>.*?</", page))
    for word in ("url(", "@import", "fetch(", "import(", "XMLHttp", "//"):
        assert word not in styles_and_scripts


def test_each_value_leads_to_its_evidence_without_a_script(page):
    parsed = Page(page)
    assert set(parsed.rows) <= parsed.ids
    assert {link.removeprefix("#") for link in parsed.links} - parsed.ids == {"closed"}
    assert ".sheet:target { display: block; }" in page
    assert "hidden" not in re.search(r"<table.*?>", page)[0]


def test_evidence_has_events_versions_script_and_command(page):
    sheet = re.search(r'(?s)<section class="sheet" id="BGF-DEPS-04".*?</section>', page)[0]
    for text in (
        "FastAPI 0.105.0 to 0.105.0: task, exit",
        "FastAPI 0.106.0 and newer: exit, task",
        "<code>#1 &lt;exit, task&gt;</code>",
        "Evidence from py3.12.1-fastapi0.106.0-starlette0.40.0-anyio4.0",
        "<dt>exit, task</dt><dd>FastAPI: 0.106.0, 0.117.1</dd>",
        "<code>bgcheck conform --select BGF-DEPS-04 -v</code>",
        "<code>bgcheck bisect BGF-DEPS-04</code>",
        reproduction("BGF-DEPS-04").splitlines()[0],
    ):
        assert text in sheet


def test_a_cell_that_was_not_measured_has_its_reason(page):
    assert "<dt>py3.12-fastapi0.1</dt><dd>unbuilt: no such release</dd>" in page


def test_runs_give_the_same_page_as_their_database(page, cells, tmp_path, capsys):
    files = [tmp_path / f"{number}.json" for number, _ in enumerate(cells)]
    for made, file in zip(cells, files, strict=True):
        write_cell(made, file)
    output = tmp_path / "page.html"
    assert main(["page", *map(str, files), "-o", str(output)]) == 0
    assert output.read_text("utf-8") == page
    assert capsys.readouterr().out == f"page: {output}\n"


def test_markdown_has_counts_and_change_points(database, capsys):
    assert main(["page", str(database), "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| 3 | 3 | 2 | 2 | 1/2 | 0/0 | 0 |" in printed
    assert "- unbuilt: py3.12-fastapi0.1: `no such release`" in printed
    assert "<summary>FastAPI 0.106.0: 2 changes</summary>" in printed
    assert "- BGF-DEPS-04 When an async yield dependency exits" in printed
    assert "`task, exit` → `exit, task`" in printed


def test_history_has_a_section_for_each_release_with_what_to_do(database, capsys):
    assert main(["page", str(database), "--history"]) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("##")] == [
        "## FastAPI",
        "### FastAPI 0.106.0",
    ]
    assert "In 0.105.0: `task, exit`; from 0.106.0 on: `exit, task`." in printed
    assert "  What to do: " in printed
    assert len(load_database(database)) == 3
    assert "3 probes in 3 sets of versions, FastAPI\n0.105.0 to 0.117.1" in printed


def run_of(directory, *results, footer=True):
    directory.mkdir()
    with (directory / "results.jsonl").open("w", encoding="utf-8") as stream:
        write_line(stream, "header", {"expected": len(results), "stack": {}})
        for result in results:
            write_result(stream, result)
        if footer:
            write_line(stream, "footer", {"complete": True})
    return str(directory)


HELD = Result("BGF-ORDER-01", "framework", "pass", "", "MUST")
WARNED = Result("BGF-ORDER-02", "framework", "warn", "", "SHOULD")


def test_the_badge_is_written_from_a_run(tmp_path):
    file = tmp_path / "new" / "badge.json"
    assert main(["page", run_of(tmp_path / "run", HELD, WARNED), "--badge", str(file)]) == 0
    assert json.loads(file.read_text("utf-8")) == {
        "schemaVersion": 1,
        "label": "bgcheck",
        "message": "MUST 1/1 · SHOULD 0/1",
        "color": "yellow",
    }


def test_the_badge_of_an_incomplete_run_says_so(tmp_path):
    file = tmp_path / "badge.json"
    run = run_of(tmp_path / "run", HELD, footer=False)
    assert main(["page", run, "--badge", str(file)]) == 2
    assert json.loads(file.read_text("utf-8"))["message"] == "incomplete"


def test_nothing_measured_is_inconclusive(tmp_path, capsys):
    write_cells([], tmp_path)
    output = tmp_path / "page.html"
    assert main(["page", str(tmp_path), "-o", str(output)]) == 2
    assert capsys.readouterr().err == "inconclusive: nothing was measured\n"
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "cannot read absent: No such file or directory"),
        (["empty"], "empty holds no cell"),
        (["text.json"], "text.json holds no cell: Expecting value: line 1 column 1 (char 0)"),
        (["--badge", "b.json"], "--badge is about one run of `bgcheck conform`, not 0"),
        (["absent", "--badge", "b.json"], "cannot read absent: No such file or directory"),
        (
            ["text.json", "--badge", "b.json"],
            "text.json holds no run: Expecting value: line 1 column 1 (char 0)",
        ),
        (["cell.json", "-o", "text.json/page.html"], "cannot write text.json/page.html: "),
    ],
)
def test_wrong_use_says_what_is_wrong(arguments, message, cells, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.json").write_text("text\n")
    (tmp_path / "empty").mkdir()
    if "cell.json" in arguments:
        write_cell(cells[0], tmp_path / "cell.json")
    with pytest.raises(SystemExit) as error:
        main(["page", *arguments])
    assert error.value.code == 3
    assert f"bgcheck: error: {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "span"),
    [("a, b", "`a, b`"), ("a `b`", "`` a `b` ``"), ("a\n b", "`a b`")],
)
def test_code_in_markdown_takes_backticks(text, span):
    assert code_span(text) == span
