"""Standalone reproductions: the code of a probe as a script that needs nothing of bgcheck.

A maintainer of the framework can paste and run one. It is made from the probe's own source, with
the helpers that the probe uses, inlined; log and lab become a list of events and a TestClient. The
last line that it prints is the value of a behaviour, or `holds`.
"""

import ast
import copy
import functools
from collections.abc import Sequence

from bgcheck_suites.registry import registry

from .closure import Closure
from .definitions import Definition, probes
from .fixtures import with_fixtures
from .rendering import render
from .rewriting import Rewriting
from .simplifying import simplified

__all__ = ["reproduction"]


@functools.cache
def reproduction(row_id: str) -> str:
    """Return a script that does what the probe of a framework row does, and prints what happens.

    Raises KeyError for an id that no probe of the framework suite measures.
    """
    found = probes()[row_id]
    row = registry()[row_id]
    last = "" if row.kind == "behaviour" else 'print("holds")'
    program = simplified([*_program(found), *ast.parse(last).body])
    return f"# {row.id} ({row.level or row.kind}): {row.text}\n{render(program)}"


def _program(found: Sequence[Definition]) -> list[ast.stmt]:
    """Return the statements of a program, rewritten with all that it needs known."""
    needs: frozenset[str] = frozenset()
    while True:
        rewrite = Rewriting(needs)
        program = _rewritten(found, rewrite)
        if rewrite.found <= needs:
            return program
        needs = frozenset(rewrite.found)


def _rewritten(found: Sequence[Definition], rewrite: Rewriting) -> list[ast.stmt]:
    closure = Closure(rewrite)
    body: list[ast.stmt] = []
    for definition in found:
        probe = copy.deepcopy(definition.node)
        assert isinstance(probe, ast.FunctionDef)
        probe.decorator_list = []
        probe.body = with_fixtures(definition)
        probe.args = ast.arguments([], [], None, [], [], None, [])
        body.append(rewrite.visit(probe))
        closure.need(definition.module, body)
    return [*closure.program(), *body]
