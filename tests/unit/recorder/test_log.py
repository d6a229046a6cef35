"""The task log: comparison, views, counts, errors."""

import sys
from unittest.mock import ANY

import pytest
from dirty_equals import IsList, IsPositiveInt, IsStr
from recorder_lab import answer, run, schedule
from starlette.background import BackgroundTasks

import bgcheck
from bgcheck import scheduled

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


def add(item_id: int, action: str = "create") -> None: ...


def send(to: str) -> None: ...


def fail(number: int) -> None:
    raise ValueError(number)


def test_equals_a_list_of_expectations_in_order(bgtasks):
    schedule(add, 1)
    schedule(send, to="ada")
    assert bgtasks == [scheduled(add, 1), scheduled(send, "ada")]
    assert [scheduled(add, 1), scheduled(send, "ada")] == bgtasks
    assert bgtasks == (scheduled(add, 1), scheduled(send, "ada"))
    assert bgtasks != [scheduled(send, "ada"), scheduled(add, 1)]
    assert bgtasks != [scheduled(add, 1)]
    assert bgtasks != []
    assert bgtasks != []


def test_an_empty_log_equals_an_empty_list(bgtasks):
    assert bgtasks == []
    assert not bgtasks
    assert len(bgtasks) == 0


@pytest.mark.parametrize("other", [None, 3, "add", b"", {}, object()])
def test_differs_from_what_is_no_list(bgtasks, other):
    assert (bgtasks == other) is False
    assert bgtasks != other


def test_a_log_equals_a_view_of_the_same_tasks(bgtasks):
    schedule(add, 1)
    assert bgtasks == bgtasks.of(add)
    schedule(send, "ada")
    assert bgtasks != bgtasks.of(add)


def test_contains_expectations_and_its_own_tasks(bgtasks):
    schedule(add, 1)
    assert scheduled(add, 1) in bgtasks
    assert scheduled(add, 2) not in bgtasks
    assert bgtasks[0] in bgtasks
    assert bgtasks[0] not in bgtasks.of(send)


def test_whole_tasks_may_be_matched(bgtasks):
    schedule(add, 1)
    schedule(send, "ada")
    assert bgtasks == [ANY, scheduled(send, ANY)]
    in_any_order = IsList(scheduled(send, IsStr), scheduled(add, IsPositiveInt), check_order=False)
    assert list(bgtasks) == in_any_order


@pytest.mark.parametrize("item", [add, "add", [].append, BackgroundTasks])
def test_refuses_what_can_never_be_in_it(bgtasks, item):
    for compare in (bgtasks.__contains__, lambda item: bgtasks != [item]):
        with pytest.raises(TypeError, match="scheduled"):
            compare(item)


def test_refuses_to_compare_with_a_single_expectation(bgtasks):
    schedule(add, 1)
    with pytest.raises(TypeError, match=r"bgtasks == \[scheduled\(add, \.\.\.\)\]"):
        assert bgtasks != scheduled(add, 1)


def test_is_a_sequence(bgtasks):
    for number in range(3):
        schedule(add, number)
    assert [task.params["item_id"] for task in bgtasks] == [0, 1, 2]
    assert [task.params["item_id"] for task in reversed(bgtasks)] == [2, 1, 0]
    assert bgtasks[-1].params["item_id"] == 2
    assert bgtasks.index(bgtasks[1]) == 1
    assert bgtasks.count(scheduled(add, 1)) == 1
    for index in (3, -4):
        with pytest.raises(IndexError, match=r"^bgtasks\[-?\d\]: 3 tasks were scheduled$"):
            bgtasks[index]


def test_a_slice_is_a_view(bgtasks):
    for number in range(3):
        schedule(add, number)
    assert isinstance(bgtasks[1:], bgcheck.BackgroundTasksLog)
    assert bgtasks[1:] == [scheduled(add, 1), scheduled(add, 2)]
    assert bgtasks[::-1] == [scheduled(add, n) for n in (2, 1, 0)]
    assert bgtasks[1:].of(add)[:1] == [scheduled(add, 1)]
    assert repr(bgtasks[1:2]).startswith("<bgtasks[1:2]: add(item_id=1, action='create')")
    assert repr(bgtasks[::-1][5:]) == "<bgtasks[::-1][5:]: none of 3 scheduled: add (3 times)>"


def test_of_filters_by_function_outcome_path_and_condition(bgtasks):
    run(schedule(add, 1))
    schedule(add, 2)
    assert bgtasks.of(add) == [scheduled(add, 1), scheduled(add, 2)]
    assert bgtasks.of(add, outcome="succeeded") == [scheduled(add, 1)]
    assert bgtasks.of(outcome="pending") == [scheduled(add, 2)]
    assert bgtasks.of(where=lambda task: task.params["item_id"] > 1) == [scheduled(add, 2)]
    assert not bgtasks.of(send)
    assert bgtasks.of(add).of(outcome="pending").of(where=lambda _: False) == []


def test_of_filters_by_path_and_by_route(bgtasks):
    answer("/items/1", lambda: None)
    answer("/other", lambda: None)
    schedule(add, 1)
    assert len(bgtasks.of(path="/items/1")) == len(bgtasks.of(path="/items/{item_id}")) == 1
    assert not bgtasks.of(path="/items/2")


def test_a_view_grows_and_shrinks_with_the_test(bgtasks):
    pending = bgtasks.of(outcome="pending")
    tasks = schedule(add, 1)
    assert pending == [scheduled(add, 1)]
    run(tasks)
    assert pending == []


def test_one_returns_the_single_match(bgtasks):
    schedule(add, 1)
    schedule(add, 2)
    schedule(send, "ada")
    assert bgtasks.one(send) is bgtasks[2]
    assert bgtasks.one(add, item_id=2) is bgtasks[1]
    assert bgtasks.one(to=IsStr) is bgtasks[2]
    assert bgtasks.of(send).one() is bgtasks[2]
    for func, params in ((add, {}), (add, {"item_id": 3}), (fail, {}), (None, {})):
        with pytest.raises(AssertionError):
            bgtasks.one(func, **params)


@pytest.mark.parametrize(
    ("counts", "passes"),
    [
        ({}, [False, True, True]),
        ({"times": 0}, [True, False, False]),
        ({"times": 1}, [False, True, False]),
        ({"at_least": 2}, [False, False, True]),
        ({"at_most": 1}, [True, True, False]),
        ({"at_least": 1, "at_most": 1}, [False, True, False]),
        ({"at_least": 0}, [True, True, True]),
    ],
)
def test_expect_counts(bgtasks, counts, passes):
    for number, fits in enumerate(passes):
        if fits:
            assert bgtasks.expect(add, item_id=7, **counts) == list(bgtasks.of(add))
        else:
            with pytest.raises(AssertionError):
                bgtasks.expect(add, item_id=7, **counts)
        assert len(bgtasks) == number
        schedule(add, 7)


def test_expect_compares_only_the_named_params(bgtasks):
    schedule(add, 1)
    schedule(add, 2, "update")
    assert bgtasks.expect(add, action="update") == [bgtasks[1]]
    assert bgtasks.expect(add, item_id=IsPositiveInt, times=2) == list(bgtasks)


def test_expect_names_what_lies_in_var_keywords(bgtasks):
    def call(*args: int, **options: str) -> None: ...

    schedule(call, 1, 2, colour="red")
    bgtasks.expect(call, colour="red", times=1)
    bgtasks.expect(call, args=(1, 2), options={"colour": "red"}, times=1)
    bgtasks.expect(call, colour="blue", times=0)
    bgtasks.expect(call, size=1, times=0)


def test_expect_refuses_a_count_that_is_a_parameter_too(bgtasks):
    def retry(times: int, at_most: int = 3) -> None: ...

    schedule(retry, 3)
    for counts in ({"times": 3}, {"at_most": 3}):
        with pytest.raises(TypeError, match="could be the count or the parameter"):
            bgtasks.expect(retry, **counts)
    assert bgtasks.expect(retry, at_least=1) == [bgtasks[0]]
    assert bgtasks.one(retry, times=3, at_most=3) is bgtasks[0]
    assert bgtasks.of(retry, where=lambda task: task.params["times"] == 3)


def test_expect_takes_a_parameter_called_func(bgtasks):
    def call(func: str) -> None: ...

    schedule(call, "f")
    assert bgtasks.expect(call, func="f") == [bgtasks.one(call, func="f")]


def test_since_views_only_the_block(bgtasks):
    schedule(add, 1)
    with bgtasks.since() as outer:
        schedule(add, 2)
        with outer.since() as inner, bgtasks.of(send).since() as sent:
            schedule(add, 3)
            schedule(send, "ada")
            assert inner == [scheduled(add, 3), scheduled(send, "ada")]
        schedule(send, "bob")
    schedule(add, 4)
    assert inner.of(add) == [scheduled(add, 3)]
    assert sent == [scheduled(send, "ada")]
    assert outer[0] == scheduled(add, 2)
    assert len(outer) == 4


def test_since_views_the_requests_of_the_block(bgtasks):
    answer("/before")
    with bgtasks.since() as block:
        answer("/during", status=404)
    answer("/after")
    assert [(r.path, r.response_status) for r in block.requests] == [("/during", 404)]
    assert len(bgtasks.requests) == 3


def test_since_ends_when_the_block_raises(bgtasks):
    with pytest.raises(ZeroDivisionError), bgtasks.since() as block:
        schedule(add, 1)
        raise ZeroDivisionError
    schedule(add, 2)
    assert block == [scheduled(add, 1)]


def test_raise_errors_raises_the_single_error_itself(bgtasks):
    with pytest.raises(ValueError, match="^1$") as sent:
        run(schedule(fail, 1))
    with pytest.raises(ValueError, match="^1$") as raised:
        bgtasks.raise_errors()
    assert raised.value is sent.value


def test_raise_errors_groups_several(bgtasks):
    for number in (1, 2):
        with pytest.raises(ValueError, match=str(number)):
            run(schedule(fail, number))
    with pytest.raises(ExceptionGroup, match="2 background tasks failed") as raised:
        bgtasks.raise_errors()
    assert [str(error) for error in raised.value.exceptions] == ["1", "2"]
    with pytest.raises(ValueError, match="^2$"):
        bgtasks[1:].raise_errors()


def test_raise_errors_groups_what_is_no_exception(bgtasks):
    def leave() -> None:
        raise SystemExit(3)

    for tasks in (schedule(leave), schedule(fail, 1)):
        with pytest.raises((SystemExit, ValueError)):
            run(tasks)
    with pytest.raises(BaseExceptionGroup) as raised:
        bgtasks.raise_errors()
    assert [type(error) for error in raised.value.exceptions] == [SystemExit, ValueError]


def test_raise_errors_is_silent_without_errors(bgtasks):
    run(schedule(add, 1))
    schedule(fail, 1)
    bgtasks.raise_errors()


LOOKS = {
    "==": lambda log: log == [scheduled(add, 1)],
    "in": lambda log: scheduled(add, 1) in log,
    "[0]": lambda log: log[0],
    "iteration": list,
    "len": len,
    "view": lambda log: bool(log.of(add)),
    "one": lambda log: log.one(add),
    "expect": lambda log: log.expect(add),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_marks_what_a_test_looked_at(look):
    with bgcheck.record() as bgtasks:
        schedule(add, 1)
        schedule(send, "ada")
        task, other = bgtasks.recording.tasks
        look(bgtasks.of(add))
    assert task.asserted
    assert not other.asserted


OVERLOOKS = {
    "repr": repr,
    "another": lambda log: scheduled(add, 2) in log,
    "none": lambda log: log.of(send) == [],
    "unequal": lambda log: log == [scheduled(add, 2)],
}


@pytest.mark.parametrize("overlook", OVERLOOKS.values(), ids=OVERLOOKS)
def test_marks_nothing_that_a_test_did_not_find(overlook):
    with bgcheck.record() as bgtasks:
        schedule(add, 1)
        overlook(bgtasks)
    assert not bgtasks.recording.tasks[0].asserted


def test_repr_lists_tasks_or_says_what_there_is_instead(bgtasks):
    assert repr(bgtasks) == "<bgtasks: no task was scheduled>"
    schedule(add, 1)
    schedule(add, 2)
    assert repr(bgtasks[:1]) == "<bgtasks[:1]: add(item_id=1, action='create') pending>"
    view = bgtasks.of(send, outcome="failed", path="/x", where=callable)
    assert repr(view) == (
        "<bgtasks.of(send, outcome='failed', path='/x', where=callable): "
        "none of 2 scheduled: add (twice)>"
    )


def test_is_not_hashable(bgtasks):
    with pytest.raises(TypeError, match="unhashable"):
        hash(bgtasks)
