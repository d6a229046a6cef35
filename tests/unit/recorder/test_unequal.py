"""How a list of expectations is matched to the tasks of a log."""

from unittest.mock import ANY

import pytest
from recorder_lab import schedule

from bgcheck import scheduled
from bgcheck.recorder.unequal import Alignment


def add(item_id: int, action: str = "create") -> None: ...


def send(to: str) -> None: ...


@pytest.mark.parametrize(
    ("expected", "missing", "extra"),
    [
        ([scheduled(add, 1), scheduled(add, 2), scheduled(send, "a")], [], []),
        ([scheduled(send, "a"), scheduled(add, 2), scheduled(add, 1)], [], []),
        ([scheduled(add, 2)], [], [0, 2]),
        ([], [], [0, 1, 2]),
        ([scheduled(add, 3)], [0], [0, 1, 2]),
        ([scheduled(add, 1), scheduled(add, 1)], [1], [1, 2]),
        ([ANY, ANY, ANY, ANY], [3], []),
        (["add"], [0], [0, 1, 2]),
    ],
)
def test_alignment(bgtasks, expected, missing, extra):
    schedule(add, 1)
    schedule(add, 2)
    schedule(send, "a")
    found = Alignment(list(bgtasks), expected)
    assert [index for index, _ in found.missing] == missing
    assert [index for index, _ in found.extra] == extra


def test_nearest_is_of_the_same_function(bgtasks):
    schedule(send, "a")
    schedule(add, 1, "update")
    schedule(add, 2)
    found = Alignment(list(bgtasks), [scheduled(add, 2, "update"), scheduled(print)])
    assert found.nearest(scheduled(add, 2, "update")) == (2, bgtasks[2])
    assert found.nearest(scheduled(print)) is None
    assert found.is_near()
