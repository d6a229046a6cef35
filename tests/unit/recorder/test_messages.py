"""Parts of messages; whole messages are in tests/plugin/test_messages_*.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder_lab import answer, schedule

import bgcheck
from bgcheck import scheduled
from bgcheck.recorder import messages
from bgcheck.recorder.describe import WIDTH
from bgcheck.recorder.log import explain


def add(item_id: object, action: str = "create") -> None: ...


def send(to: object) -> None: ...


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (0, 0, "never"),
        (1, 1, "exactly once"),
        (3, 3, "exactly 3 times"),
        (1, float("inf"), "at least once"),
        (2, float("inf"), "at least twice"),
        (0, 1, "at most once"),
        (0, 4, "at most 4 times"),
        (2, 4, "2 to 4 times"),
    ],
)
def test_describe_count(least, most, expected):
    assert messages.describe_count(least, most) == expected


def context(log: bgcheck.TaskLog, **changes: object) -> messages.Context:
    tasks = list(log)
    return messages.Context(tasks, tasks, log.requests, **changes)  # type: ignore[arg-type]


def test_the_nearest_candidate_differs_in_the_fewest_and_latest_params(bgtasks):
    schedule(send, 1)
    schedule(add, 2, "update")
    schedule(add, 2)
    schedule(add, 1, "update")
    wanted = messages.exactly(scheduled(add, 1))
    ranked = messages.rank(bgtasks, wanted)
    assert [(task.name, *task.params.values()) for task in ranked] == [
        ("add", 1, "update"),
        ("add", 2, "create"),
        ("add", 2, "update"),
        ("send", 1),
    ]


def test_several_likely_causes_of_nothing(bgtasks):
    assert messages.nothing_scheduled(context(bgtasks))[0] == (
        "  no request reached an application in this test"
    )
    answer("/a")
    assert messages.nothing_scheduled(context(bgtasks)) == [
        "  requests   GET /a -> 200",
        "  add_task was not reached, or the test replaced it",
    ]
    for path in "bcd":
        answer(f"/{path}", status=404)
    assert messages.nothing_scheduled(context(bgtasks)) == [
        "  requests   GET /b -> 404",
        "             GET /c -> 404",
        "             GET /d -> 404",
        "  ... and 1 before (-v shows all)",
        "  a request that is refused or fails schedules nothing: see its response",
    ]
    assert len(messages.nothing_scheduled(context(bgtasks, verbosity=1))) == 5


def test_fit_drops_what_says_least_and_keeps_what_says_most(bgtasks):
    lines = [f"{number}" * 70 for number in range(12)]
    assert messages.fit(context(bgtasks), lines) == lines[:8]
    assert messages.fit(context(bgtasks), [line * 2 for line in lines]) == [
        line * 2 for line in lines[:4]
    ]
    assert messages.fit(context(bgtasks, verbosity=1), lines) == lines


VALUES = (
    st.text(max_size=200)
    | st.integers()
    | st.dictionaries(st.text(max_size=30), st.integers() | st.text(max_size=60), max_size=6)
    | st.lists(st.text(max_size=30), max_size=6)
)


@given(VALUES, VALUES, st.text(max_size=60))
def test_lines_fit_whatever_the_values(expected, found, action):
    with bgcheck.record() as bgtasks:
        schedule(add, found, action)
        schedule(send, found)
        others = [scheduled(send, expected), scheduled(add, expected, "x" * 80)]
        for lines in (
            bgtasks.explain("in", scheduled(add, expected)),
            bgtasks.explain("==", others),
            bgtasks.explain("==", []),
        ):
            assert lines
            assert len(lines) <= 8
            assert max(map(len, lines)) <= WIDTH
            assert sum(map(len, lines)) <= 640 + 70  # what pytest lets pass


def test_explains_both_orders_of_operands(bgtasks):
    schedule(add, 1)
    wanted = scheduled(add, 2)
    assert explain("==", bgtasks, [wanted]) == explain("==", [wanted], bgtasks)
    task = bgtasks[0]
    assert explain("==", task, wanted) == explain("==", wanted, task)
    assert explain("in", wanted, bgtasks)
    assert explain("!=", bgtasks, [])


@pytest.mark.parametrize(
    ("op", "other"), [("==", 3), ("==", "text"), ("<", []), ("in", 3), ("is", None)]
)
def test_leaves_other_comparisons_to_pytest(bgtasks, op, other):
    assert explain(op, bgtasks, other) is None
    assert explain(op, 1, 2) is None


def test_leaves_the_comparison_of_two_logs_to_pytest(bgtasks):
    schedule(add, 1)
    assert explain("==", bgtasks, bgtasks.of(send)) is None


class Hostile:
    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __hash__ = None  # type: ignore[assignment]


def test_hostile_values_are_written_all_the_same(bgtasks):
    schedule(add, Hostile(1))
    assert scheduled(add, Hostile(2)) not in bgtasks
    assert "<Hostile whose re" in repr(bgtasks)
    lines = bgtasks.explain("==", [scheduled(add, Hostile(2))])
    assert lines
    assert "<Hostile whose re" in lines[1]
