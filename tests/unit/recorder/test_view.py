"""Views: composition, and blocks."""

from bgcheck.recorder.view import Block, View


def test_narrowing_composes_from_the_outside_in():
    even = View().narrowed(".of(even)", lambda items: [n for n in items if n % 2 == 0], list)
    last = even.narrowed("[-1:]", lambda items: items[-1:], lambda items: items[:1])
    assert last.tasks([1, 2, 3, 4, 5]) == [4]
    assert last.requests([1, 2, 3]) == [1]
    assert last.described == ".of(even)[-1:]"
    assert even.tasks([1, 2, 3, 4, 5]) == [2, 4]


def test_a_block_knows_what_a_list_gained():
    items = [object()]
    block = Block(items)
    assert block.select(items) == []
    items.append(object())
    assert block.select(items) == items[1:]
    block.end()
    items.append(object())
    assert block.select(items) == items[1:2]
