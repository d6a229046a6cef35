"""Standalone reproductions: the code of a probe as a script that needs nothing of bgcheck.

A maintainer of the framework can paste and run one. It is made from the probe's own source, with
the helpers that the probe uses; in process, log and lab become a list of events and a TestClient.
"""

import ast
import copy
import functools
from collections.abc import Sequence

from bgcheck_suites.registry import registry

from . import stand_ins
from .closure import Closure
from .definitions import Definition, probes
from .fixtures import bindings_of, takes_fixtures
from .shorten import COMPLETE, Shorten, Tidy, TooRichError

__all__ = ["reproduction"]


@functools.cache
def reproduction(row_id: str) -> str:
    """Return a script that does what the probe of a framework row does, and prints what happens.

    Raises KeyError for an id that no probe of the framework suite measures.
    """
    found = probes()[row_id]
    for watched in (False, True):
        try:
            return _short(row_id, found, watched=watched)
        except TooRichError:
            continue
    return _whole(row_id, found)


def _short(row_id: str, found: Sequence[Definition], *, watched: bool) -> str:
    """Return a script on a list of events, with Starlette's TestClient."""
    if len(found) > 1 or takes_fixtures(found[0].node):
        raise TooRichError("several probes, or other fixtures")
    probe = copy.deepcopy(found[0].node)
    assert isinstance(probe, ast.FunctionDef)
    shorten = Shorten(watched=watched)
    probe.decorator_list = []
    body = [shorten.visit(probe)]
    closure = Closure(rewrite=shorten)
    body = [Tidy().visit(body[0])]
    closure.need(found[0].module, body)
    program = ast.unparse(closure.module(body, inline=True))
    if not watched and repr(COMPLETE) in "\n".join([program, *shorten.required]):
        raise TooRichError("the end of the response")
    lines = [*_head(row_id), *(f"# required: {line}" for line in shorten.required), program]
    if "events" in program:
        lines.append('print("events:", events)')
    elif "print(" not in program:
        lines.append('print("as required")')
    return "\n".join(lines) + "\n"


def _whole(row_id: str, found: Sequence[Definition]) -> str:
    """Return a script with the machinery that the probe uses, and with its checks."""
    closure = Closure(given=[definition.name for definition in found])
    body: list[ast.stmt] = []
    for definition in found:
        probe = copy.deepcopy(definition.node)
        assert isinstance(probe, ast.FunctionDef)
        run = bindings_of(probe, definition.module)
        probe.decorator_list = []
        probe = Tidy().visit(probe)
        closure.need(definition.module, [probe, *run])
        closure.need(stand_ins.__name__, run)
        body += [probe, *run]
    return "\n".join([*_head(row_id), ast.unparse(closure.module(body, inline=False))]) + "\n"


def _head(row_id: str) -> list[str]:
    row = registry()[row_id]
    return [f"# {row.id} ({row.level or row.kind}): {row.text}"]
