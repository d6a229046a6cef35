"""The measured database as one HTML page, as a summary in Markdown, and as a history."""

from typing import TYPE_CHECKING, Any

from bgcheck import __version__

from .html import render

if TYPE_CHECKING:
    from bgcheck_suites.grid.table import Grid


def render_grid(grid: "Grid") -> str:
    """Return the page: it needs nothing else, and no scripts for its table."""
    from bgcheck_suites.grid.columns import NAMES

    scripts = {line.id: _script(line.id) for line in grid.lines}
    return render(
        "grid.html.j2", **_values(grid), names=NAMES, scripts=scripts, version=__version__
    )


def render_summary(grid: "Grid") -> str:
    """Return the counts and the change points in Markdown, for the summary of a job."""
    from bgcheck_suites.grid.changes import by_release

    return render("grid.md.j2", **_values(grid), releases=list(by_release(grid)))


def render_history(grid: "Grid") -> str:
    """Return in Markdown what each release changed, and what to do about it."""
    from bgcheck_suites.grid.changes import by_release, unexplained

    versions = sorted(column.version("fastapi") for column in grid.columns)
    text = render(
        "history.md.j2",
        **_values(grid),
        releases=list(by_release(grid)),
        unexplained=unexplained(grid),
        oldest=versions[0],
        newest=versions[-1],
    )
    return text.rstrip() + "\n"


def _values(grid: "Grid") -> dict[str, Any]:
    from bgcheck_suites.grid.changes import count

    return {"grid": grid, "counts": count(grid)}


def _script(id_: str) -> str:
    from bgcheck_suites.reproduce import reproduction

    try:
        return reproduction(id_)
    except KeyError:
        return ""
