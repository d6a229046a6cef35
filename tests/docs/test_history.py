"""docs/history.md is what `bgcheck page --history` writes of the database that ships."""

from pathlib import Path

from bgcheck.report.grid import render_history
from bgcheck_suites.grid.table import grid_of_database
from bgcheck_suites.matrix.database import SHIPPED, load_database

HISTORY = Path(__file__).parents[2] / "docs" / "history.md"


def test_the_history_is_that_of_the_database():
    if not load_database():
        assert not HISTORY.exists(), "there is a history, and no database that it is from"
        return
    assert HISTORY.read_text("utf-8") == render_history(grid_of_database(SHIPPED)), (
        "write it again: bgcheck page --history > docs/history.md"
    )
