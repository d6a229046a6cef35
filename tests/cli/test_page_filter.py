"""The filter of `bgcheck page` in a real browser, without which nobody has tried its script."""

import re
import shutil
import subprocess
from urllib.parse import urlencode

import pytest

from bgcheck.cli import main
from bgcheck_suites.matrix.cells import Cell, Observation, cell_name
from bgcheck_suites.matrix.database import derive, write, write_cells

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser here to try the page in: none of {', '.join(BROWSERS)}"
)

VALUES = {
    "0.105.0": {"BGF-DEPS-04": "task, exit", "BGF-ORDER-01": "holds", "BGF-ORDER-02": "holds"},
    "0.106.0": {"BGF-DEPS-04": "exit, task", "BGF-ORDER-01": "holds", "BGF-ORDER-02": "does not"},
    "0.118.0": {"BGF-DEPS-04": "task, exit", "BGF-ORDER-01": "holds", "BGF-ORDER-02": "does not"},
}
ALL = ["BGF-DEPS-04", "BGF-ORDER-01", "BGF-ORDER-02"]


def cell(fastapi, values):
    stack = {"python": "3.12.1", "fastapi": fastapi, "starlette": "0.40.0", "anyio": "4.0"}
    seen = {id_: Observation(id_, value, "pass") for id_, value in values.items()}
    return Cell(cell_name(stack), {}, stack, "measured", observations=seen)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    directory = tmp_path_factory.mktemp("page")
    cells = [cell(fastapi, values) for fastapi, values in VALUES.items()]
    write(derive(cells), directory / "database")
    write_cells(cells, directory / "database")
    file = directory / "page.html"
    assert main(["page", str(directory / "database"), "-o", str(file)]) == 0
    return file


def shown(page, profile, **filters):
    """Return the probes that a browser shows, and what it says of their number."""
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions"),
        *(f"--user-data-dir={profile}", "--dump-dom", f"{page.as_uri()}?{urlencode(filters)}"),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    rows = re.findall(r"<tr data-values=[^>]*>.*?</tr>", dom, flags=re.DOTALL)
    assert len(rows) == len(ALL)
    visible = [row for row in rows if " hidden" not in row.partition(">")[0]]
    (said,) = re.findall(r"<output>(.*?)</output>", dom)
    empty = re.findall(r"<tbody [^>]*hidden[^>]*>.*?<span>(\w+)", dom, flags=re.DOTALL)
    return [re.search(r"BGF-\w+-\d+", row)[0] for row in visible], said, empty


@pytest.mark.parametrize(
    ("filters", "expected", "empty"),
    [
        ({}, ALL, []),
        ({"area": "Order"}, ["BGF-ORDER-01", "BGF-ORDER-02"], ["Dependencies"]),
        ({"changing": "yes"}, ["BGF-DEPS-04", "BGF-ORDER-02"], []),
        (
            {"before": "FastAPI 0.105.0", "after": "FastAPI 0.106.0"},
            ["BGF-DEPS-04", "BGF-ORDER-02"],
            [],
        ),
        ({"before": "0", "after": "2"}, ["BGF-ORDER-02"], ["Dependencies"]),
        ({"before": "1", "after": "2", "area": "Order"}, [], ["Order", "Dependencies"]),
        ({"before": "FastAPI 0.99.0", "unknown": "1"}, ALL, []),
    ],
)
def test_the_filter_shows_what_fits(page, tmp_path, filters, expected, empty):
    found, said, hidden = shown(page, tmp_path, **filters)
    assert sorted(found) == sorted(expected)
    assert said == f"{len(expected)} of 3 probes"
    assert sorted(hidden) == sorted(empty)
