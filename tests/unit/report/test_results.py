"""The results of a run: their lines, and what is read back."""

import io
import json

import pytest

from bgcheck.report.results import Result, Run, read_run, worst, write_line, write_result

PASS = Result("BGF-A-01", "framework", "pass", "It holds.", "MUST", tests=("t1", "t2"))
FAIL = Result(
    "BGF-A-02", "framework", "fail", "It holds.", "MUST", message="no", evidence=("#1 a", "#2 b")
)
VALUE = Result("BGF-A-03", "framework", "pass", "When.", kind="behaviour", observed="late")


@pytest.fixture
def file(tmp_path):
    """A results file with one of everything."""
    path = tmp_path / "results.jsonl"
    with path.open("w") as stream:
        write_line(stream, "header", {"version": "1", "expected": 3})
        for result in (PASS, FAIL, VALUE):
            write_result(stream, result)
        write_line(stream, "suite-end", {"suite": "framework", "emitted": 3})
        write_line(stream, "footer", {"complete": True, "counts": {"pass": 2, "fail": 1}})
    return path


def test_what_is_written_is_read(file):
    run = read_run(file)
    assert run.results == [PASS, FAIL, VALUE]
    assert run.header == {"version": "1", "expected": 3}
    assert run.expected == 3
    assert run.suites_ended == ["framework"]
    assert run.complete


def test_each_line_is_a_json_object_with_a_type(file):
    types = [json.loads(line)["type"] for line in file.read_text().splitlines()]
    assert types == ["header", *["requirement"] * 3, "suite-end", "footer"]


def test_a_file_cut_off_in_the_middle_gives_what_was_complete(file):
    text = file.read_text()
    file.write_text(text[: text.index("BGF-A-03")])
    run = read_run(file)
    assert run.results == [PASS, FAIL]
    assert run.footer is None
    assert not run.complete


def test_a_footer_that_denies_completeness_is_believed():
    assert not Run(footer={"complete": False}).complete


def test_collection_errors_are_read(tmp_path):
    path = tmp_path / "results.jsonl"
    with path.open("w") as stream:
        write_line(stream, "collection-error", {"suite": "s", "module": "m.py", "message": "no"})
    assert read_run(path).collection_errors == ["m.py: no"]


def test_lines_are_flushed_at_once():
    class Stream(io.StringIO):
        """Counts its flushes."""

        flushes = 0

        def flush(self):
            self.flushes += 1

    stream = Stream()
    write_result(stream, PASS)
    assert stream.flushes == 1


def test_counts_are_worst_first():
    assert list(Run(results=[PASS, FAIL, VALUE]).counts().items()) == [("fail", 1), ("pass", 2)]


def test_a_tally_counts_what_holds_of_what_was_measured():
    absent = Result("BGF-A-04", "framework", "not-applicable", "It holds.", "MUST")
    run = Run(results=[PASS, FAIL, VALUE, absent])
    assert run.tally("MUST") == (1, 2)
    assert run.tally("SHOULD") == (0, 0)
    assert run.tally(None) == (1, 1)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["pass", "fail"], "fail"),
        (["unexpected-pass", "expected-fail"], "expected-fail"),
        (["not-applicable", "pass"], "pass"),
        (["warn", "pass"], "warn"),
        (["not-testable", "pass"], "not-testable"),
    ],
)
def test_the_worst_status_counts(statuses, expected):
    assert worst(statuses) == expected
