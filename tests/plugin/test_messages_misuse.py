"""A wrong expectation is an error at the line of the test that has it."""

from messages_lab import failures, too_wide

TESTS = """
    def test_unknown_argument(bgtasks):
        assert scheduled(process_item, 42, act="create") in bgtasks

    def test_missing_argument(bgtasks):
        assert bgtasks == [scheduled(process_item)]

    def test_called(bgtasks):
        scheduled(process_item(42))

    def test_name(bgtasks):
        assert not bgtasks.of("process_item")

    def test_expectation_for_function(bgtasks):
        bgtasks.expect(scheduled(process_item, 42))

    def test_unknown_param(bgtasks):
        bgtasks.one(process_item, id=42)

    def test_unknown_param_times_zero(bgtasks):
        bgtasks.expect(process_item, id=42, times=0)

    def test_function_not_in(bgtasks):
        assert process_item not in bgtasks

    def test_name_not_in(bgtasks):
        assert "process_item" not in bgtasks

    def test_function_in_list(bgtasks):
        assert bgtasks != [process_item]

    def test_no_list(bgtasks):
        assert bgtasks != scheduled(process_item, 42)

    def test_ambiguous_count(bgtasks):
        bgtasks.expect(retry, times=3)

    def test_both_counts(bgtasks):
        bgtasks.expect(process_item, times=1, at_least=1)

    def test_contradicting_counts(bgtasks):
        bgtasks.expect(process_item, at_least=2, at_most=1)

    def test_unknown_outcome(bgtasks):
        bgtasks.of(outcome="done")
"""

EXPECTED = {
    "test_unknown_argument": """\
>       assert scheduled(process_item, 42, act="create") in bgtasks
E       TypeError: scheduled(process_item, ...) is no call: got an unexpected keyword argument 'act'
E         its signature: process_item(item_id: int, action: str = 'create') -> None""",
    "test_missing_argument": """\
>       assert bgtasks == [scheduled(process_item)]
E       TypeError: scheduled(process_item, ...) is no call: missing a required argument: 'item_id'
E         its signature: process_item(item_id: int, action: str = 'create') -> None""",
    "test_called": """\
>       scheduled(process_item(42))
E       TypeError: scheduled() takes a function, not None
E         pass the function itself, not its name or its result""",
    "test_name": """\
>       assert not bgtasks.of("process_item")
E       TypeError: of() takes a function, not 'process_item'
E         pass the function itself, not its name or its result""",
    "test_expectation_for_function": """\
>       bgtasks.expect(scheduled(process_item, 42))
E       TypeError: expect() takes a function, not scheduled(process_..., action='create')
E         for one exact call: scheduled(...) in bgtasks""",
    "test_unknown_param": """\
>       bgtasks.one(process_item, id=42)
E       TypeError: process_item has no parameter 'id'
E         its parameters: item_id, action""",
    "test_unknown_param_times_zero": """\
>       bgtasks.expect(process_item, id=42, times=0)
E       TypeError: process_item has no parameter 'id'
E         its parameters: item_id, action""",
    "test_function_not_in": """\
>       assert process_item not in bgtasks
E       TypeError: process_item is a function, and bgtasks holds scheduled tasks
E         for one exact call: scheduled(process_item, ...) in bgtasks
E         for all its tasks: bgtasks.of(process_item)""",
    "test_name_not_in": """\
>       assert "process_item" not in bgtasks
E       TypeError: 'process_item' is no scheduled task: write scheduled(function, ...)""",
    "test_function_in_list": """\
>       assert bgtasks != [process_item]
E       TypeError: process_item is a function, and bgtasks holds scheduled tasks
E         for one exact call: scheduled(process_item, ...) in bgtasks
E         for all its tasks: bgtasks.of(process_item)""",
    "test_no_list": """\
>       assert bgtasks != scheduled(process_item, 42)
E       TypeError: bgtasks compares with a list: bgtasks == [scheduled(process_item, ...)]
E         to find one call among others: scheduled(...) in bgtasks""",
    "test_ambiguous_count": """\
>       bgtasks.expect(retry, times=3)
E       TypeError: times=3 could be the count or the parameter 'times' of retry
E         for the param: bgtasks.of(retry, where=lambda task: task.params['times'] == 3)
E         for the count: len(bgtasks.of(retry)) == 3""",
    "test_both_counts": """\
>       bgtasks.expect(process_item, times=1, at_least=1)
E       ValueError: times cannot be combined with at_least or at_most: give one of them""",
    "test_contradicting_counts": """\
>       bgtasks.expect(process_item, at_least=2, at_most=1)
E       ValueError: at_least=2 is more than at_most=1""",
    "test_unknown_outcome": """\
>       bgtasks.of(outcome="done")
E       ValueError: 'done' is no outcome
E         outcomes: pending, held, running, succeeded, failed, cancelled, skipped, lost""",
}


def test_messages(pytester, monkeypatch):
    found = failures(pytester, monkeypatch, TESTS)
    assert found == EXPECTED
    assert too_wide(found) == []
