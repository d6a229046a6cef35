"""How messages write values, calls and places."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder_lab import schedule

from bgcheck.recorder.describe import (
    LABEL,
    WIDTH,
    Writer,
    answer,
    cut,
    labelled,
    relative,
    safe_repr,
    tasks_were,
    times,
)
from bgcheck.recorder.request import RequestInfo


class Table:
    def __repr__(self) -> str:
        return "Table\n    a  b\n    1  2"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_repr_is_one_line_whatever_the_object_does():
    assert safe_repr(Table()) == "Table a  b 1  2"
    assert safe_repr(Broken()) == "<Broken whose repr raised RuntimeError>"
    assert safe_repr("a\nb") == r"'a\nb'"


@pytest.mark.parametrize(
    ("width", "expected"), [(10, "0123456789"), (9, "012...789"), (7, "01...89"), (1, "0...9")]
)
def test_cut(width, expected):
    assert cut("0123456789", width) == expected


def test_a_call_shortens_its_longest_values_first():
    written = Writer().call("send", {"to": "ada@example.org", "body": "Dear Ada, " * 20})
    assert written == "send(to='ada@example.org', body='Dear Ada, Dear ...Ada, Dear Ada, ')"
    assert len(written) <= WIDTH - LABEL - 3


def test_a_call_is_full_at_vv():
    body = "Dear Ada, " * 20
    assert Writer(2).call("send", {"body": body}) == f"send(body={body!r})"
    assert Writer(2).value(body) == repr(body)
    assert Writer(1).value(body, 20) == "'Dear Ad...r Ada, '"


def test_a_partial_call_ends_in_dots():
    assert Writer().call("send", {"to": 1}, partial=True) == "send(to=1, ...)"
    assert Writer().call("send", {}, partial=True) == "send(...)"
    assert Writer().call("send", {}) == "send()"


@given(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=120),
    st.dictionaries(
        st.from_regex(r"[a-z]{1,12}", fullmatch=True),
        st.text(max_size=300) | st.integers() | st.lists(st.text(max_size=20), max_size=20),
        max_size=12,
    ),
)
def test_a_call_fits_on_a_line(name, params):
    written = Writer().call(name, params)
    assert written.startswith(name[:60])
    assert len(labelled("scheduled", written)) <= WIDTH
    assert "\n" not in written


def test_a_pair_is_cut_around_the_difference():
    one, other = "x" * 100 + "a" + "y" * 100, "x" * 100 + "b" + "y" * 100
    assert Writer().pair(one, other, 30) == (
        "...xxxxxxxxxxayyyyyyyyyyyyy...",
        "...xxxxxxxxxxbyyyyyyyyyyyyy...",
    )
    assert Writer().pair("a" + "y" * 100, "b", 20) == ("'ayyyyyyyyyyyyyyy...", "'b'")
    assert Writer().pair("y" * 40, "y" * 41, 20) == ("...yyyyyy'", "...yyyyyyy'")
    assert Writer(2).pair(one, other, 30) == (repr(one), repr(other))


class Same:
    def __repr__(self) -> str:
        return "1"


def test_a_pair_that_prints_the_same_is_told_apart():
    assert Writer().pair(1, Same(), 30) == ("1 (int)", "1 (Same)")
    assert Writer().pair(Same(), Same(), 30) == ("1", "another that prints the same")


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (200, None, "200"),
        (None, None, "no response"),
        (500, ValueError(), "500, ValueError"),
        (None, ValueError(), "no response, ValueError"),
    ],
)
def test_answer(status, error, expected):
    request = RequestInfo(method="GET", path="/", number=1)
    request.response_status, request.error = status, error
    assert answer(request) == expected


def test_a_file_is_relative_where_it_lies_inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert relative(str(tmp_path / "app" / "main.py")) == os.path.join("app", "main.py")
    assert relative(str(tmp_path / "..main.py")) == "..main.py"
    outside = str(tmp_path.parent / "other.py")
    assert relative(outside) == outside


def test_names_are_listed_with_their_counts_on_a_line(bgtasks):
    def note() -> None: ...

    def another() -> None: ...

    for func in (note, another, note):
        schedule(func)
    assert Writer().names(bgtasks) == "note (twice), another"
    for number in range(30):
        note.__qualname__ = f"note_{number}"
        schedule(note)
    assert Writer().names(bgtasks) == "note (twice), another, note_0, note_1, ..."
    assert Writer(2).names(bgtasks).endswith("note_29")


def test_numbers_in_words():
    assert [tasks_were(n) for n in range(3)] == ["no task was", "1 task was", "2 tasks were"]
    assert [times(n) for n in range(4)] == ["0 times", "once", "twice", "3 times"]
