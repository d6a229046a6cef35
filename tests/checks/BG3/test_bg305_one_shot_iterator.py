"""BG305: an iterator argument was consumed before the task ran."""

from __future__ import annotations

import csv
import gc
import itertools
from collections import deque
from typing import Any

import pytest
from checks_lab import Lab, endpoint

from bgcheck.checks.arguments_iterators import progress_of

TASKS = """
import csv, functools, io, itertools
from starlette.responses import StreamingResponse
def rows():
    yield from (b"1", b"2", b"3")
async def more_rows():
    yield 1
    yield 2
def use(*args, **kwargs):
    for arg in (*args, *kwargs.values()):
        for row in arg: ...
def use_rows(options):
    for row in options["rows"]: ...
async def use_later(x):
    async for row in x: ...
def one(x): next(x, None)
def keep(*args): ...
"""

MADE = {
    "generator": "rows()",
    "generator expression": "(n for n in (1, 2))",
    "list": "iter([1, 2])",
    "tuple": "iter((1, 2))",
    "set": "iter({1, 2})",
    "dict": "iter({1: 2}.items())",
    "text": "iter('ab')",
    "map": "map(str, [1, 2])",
    "map of a generator": "map(str, rows())",
    "zip": "zip([1, 2], 'ab')",
    "filter": "filter(None, [1, 2])",
    "enumerate": "enumerate([1, 2])",
    "reversed": "reversed([1, 2])",
    "range": "iter(range(2))",
    "chain": "itertools.chain([1], [2])",
    "islice": "itertools.islice([1, 2], 2)",
    "csv reader": "csv.reader(['a,b', 'c,d'])",
    "csv reader of dicts": "csv.DictReader(['a,b', 'c,d'])",
    "csv reader of a file": "csv.reader(io.StringIO('a,b\\nc,d'))",
    "csv reader of dicts of a file": "csv.DictReader(io.StringIO('a,b\\nc,d'))",
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_consumed_after_scheduling(lab: Lab, make: str) -> None:
    app = TASKS + endpoint(f"x = {make}\ntasks.add_task(use, x)\nlist(x)")
    finding = lab.assert_found("BG305", app, "POST /orders", line="add_task(use, x)")
    assert finding["message"] == "args[0] of use was consumed before the task ran."


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_not_consumed(lab: Lab, make: str) -> None:
    app = TASKS + endpoint(f"x = {make}\ntasks.add_task(use, x)")
    assert lab.run(app, "POST /orders", "POST /orders", select="BG305").findings == []


FAULTY = {
    "before scheduling": "x = rows()\nn = len(list(x))\ntasks.add_task(use, x)",
    "by a loop before scheduling": "x = rows()\nfor row in x: ...\ntasks.add_task(use, x)",
    "by an earlier task": "x = rows()\ntasks.add_task(use, x)\ntasks.add_task(use, x, [])",
    "the first item after scheduling": "x = rows()\ntasks.add_task(use, x)\nnext(x)",
    "an item of a list": "x = iter([1, 2])\ntasks.add_task(use, x)\nnext(x)",
    "by keyword": "x = rows()\ntasks.add_task(use, mail=x)\nlist(x)",
    "in a dict": "x = {'rows': rows()}\ntasks.add_task(use_rows, x)\nlist(x['rows'])",
    "in a partial": "x = rows()\ntasks.add_task(functools.partial(use, x))\nlist(x)",
    "closed": "x = rows()\ntasks.add_task(use, x)\nx.close()",
    "by the response": "x = rows()\ntasks.add_task(use, x)\nreturn StreamingResponse(x)",
    "an async generator": "x = more_rows()\ntasks.add_task(use_later, x)\nasync for row in x: ...",
    "one item of an async generator": "x = more_rows()\ntasks.add_task(use_later, x)\n"
    "await x.__anext__()",
}


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_consumed(lab: Lab, body: str) -> None:
    lab.assert_found("BG305", TASKS + endpoint(body), "POST /orders", line="add_task")


def test_evidence(lab: Lab) -> None:
    app = TASKS + endpoint("x = rows()\ntasks.add_task(use, x)\nlist(x)")
    finding = lab.assert_found("BG305", app, "POST /orders")
    label, text = finding["evidence"][0]
    assert label == "args[0]"
    assert text == "generator rows, brought to its end between scheduling and start"


def test_at_module_level_by_an_earlier_request(lab: Lab) -> None:
    app = TASKS + "ROWS = rows()\n" + endpoint("tasks.add_task(use, ROWS)")
    finding = lab.assert_found("BG305", app, "POST /orders", "POST /orders")
    assert finding["evidence"][0][1] == "generator rows, at its end already when scheduled"


SILENT = {
    "a list": "x = [1, 2]\ntasks.add_task(use, x)\nlist(x)",
    "a range": "x = range(2)\ntasks.add_task(use, x)\nlist(x)",
    "the rest": "x = rows()\nnext(x)\ntasks.add_task(use, x)",
    "an empty rest": "x = rows()\nfirst = list(itertools.islice(x, 9))\ntasks.add_task(use, x)",
    "an empty rest after a break": "x = rows()\nfor row in x:\n    if row == 9: break\n"
    "tasks.add_task(use, x)",
    "an iterator over nothing": "x = iter([])\ntasks.add_task(use, x)",
    "a generator of nothing": "x = (n for n in ())\ntasks.add_task(use, x)",
    "a generator each": "tasks.add_task(use, rows())\ntasks.add_task(use, rows())",
    "one tee each": "x, y = itertools.tee(rows())\ntasks.add_task(use, x)\ntasks.add_task(use, y)",
    "shared work": "x = rows()\ntasks.add_task(one, x)\ntasks.add_task(one, x)",
    "a counter": "x = itertools.count()\nnext(x)\ntasks.add_task(keep, x)\nnext(x)",
    "the field names only": "x = csv.DictReader(['a,b', 'c,d'])\ntasks.add_task(use, x)\n"
    "x.fieldnames",
    "a cycle": "x = itertools.cycle([1])\ntasks.add_task(one, x)\nnext(x)",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_silent(lab: Lab, body: str) -> None:
    outcome = lab.run(TASKS + endpoint(body), "POST /orders", select="BG305")
    assert outcome.findings == []
    assert outcome.result.ret == pytest.ExitCode.OK


def test_a_source_of_numbers_at_module_level(lab: Lab) -> None:
    app = """
def numbers():
    yield 1
    while True:
        yield 2
IDS = numbers()
def work(ids): next(ids)
@app.post("/orders")
async def create(tasks: BackgroundTasks):
    tasks.add_task(work, IDS)
    next(IDS)
"""
    lab.assert_silent(app, "POST /orders", "POST /orders")


def _generator() -> Any:
    yield from (1, 2)


async def _async_generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    "make",
    [
        *(lambda kind=kind: iter(kind([1])) for kind in (list, tuple, set, dict.fromkeys, deque)),
        lambda: iter("ab"), lambda: iter(b"ab"), lambda: map(str, _generator()), _generator,
        lambda: zip([1], _generator(), strict=False), lambda: itertools.chain([1], _generator()),
        lambda: itertools.islice(_generator(), 9), lambda: csv.reader(iter(["a"])),
    ],
)  # fmt: skip
def test_looking_advances_nothing(make: Any) -> None:
    value, expected = make(), list(make())
    before = progress_of(value)
    assert before is not None
    assert not before.over
    assert progress_of(value) == before
    assert list(value) == expected
    after = progress_of(value)
    assert after is not None
    assert after.over or after.left == 0
    assert before.is_behind(after)


def test_no_reference_is_kept() -> None:
    value = _generator()
    progress_of(value)
    assert not [each for each in gc.get_referrers(value) if isinstance(each, (list, tuple))]
