"""Small cells for the tests of the matrix."""

from collections.abc import Mapping

from bgcheck_suites.matrix.cells import Cell, Observation, cell_name


def stack(fastapi: str, starlette: str = "0.40.0", python: str = "3.13.0") -> dict[str, str]:
    """Return a resolved stack."""
    return {"python": python, "fastapi": fastapi, "starlette": starlette, "anyio": "4.0.0"}


def cell(
    values: Mapping[str, str], resolved: Mapping[str, str], evidence: tuple[str, ...] = ("#1 x",)
) -> Cell:
    """Return a measured cell with these values."""
    return Cell(
        name=cell_name(resolved),
        wanted={"python": "3.13"},
        stack=resolved,
        status="measured",
        observations={i: Observation(i, v, "pass", "", evidence) for i, v in values.items()},
        probes=tuple(sorted(values)),
    )
