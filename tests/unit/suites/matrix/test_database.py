"""Which package's versions explain the values of a probe."""

import itertools
from dataclasses import replace

import pytest
from matrix_lab import cell, stack

from bgcheck_suites.matrix import database
from bgcheck_suites.matrix.database import (
    derive,
    load_cells,
    load_database,
    write,
    write_cells,
)

ID = "BGF-DEPS-04"


def values(*measured):
    return derive([cell({ID: value}, stack(*versions)) for value, *versions in measured])[ID]


def test_the_same_value_everywhere_needs_no_package():
    record = values(("holds", "0.100.0"), ("holds", "0.120.0"))
    assert (record.package, len(record.ranges)) == ("", 1)
    assert record.value_for(stack("0.999.0")) == "holds"


def test_ranges_of_one_package():
    record = values(
        ("before", "0.105.0"), ("after", "0.106.0"), ("after", "0.117.1"), ("before", "0.118.0")
    )
    assert record.package == "fastapi"
    assert [(r.since, r.last, r.until, r.value) for r in record.ranges] == [
        ("0.105.0", "0.105.0", "0.106.0", "before"),
        ("0.106.0", "0.117.1", "0.118.0", "after"),
        ("0.118.0", "0.118.0", None, "before"),
    ]
    assert record.value_for(stack("0.110.0")) == "after"
    assert record.value_for(stack("0.200.0")) == "before"


def test_between_two_values_nothing_is_expected():
    record = values(("before", "0.105.0"), ("after", "0.110.0"))
    assert record.value_for(stack("0.107.0")) is None
    assert record.value_for(stack("0.100.0")) is None


def test_the_package_that_alone_explains_the_values():
    record = values(
        ("old", "0.120.0", "0.40.0"), ("new", "0.120.0", "0.48.0"), ("new", "0.130.0", "0.48.0")
    )
    assert record.package == "starlette"
    assert record.value_for(stack("0.120.0", "0.50.0")) == "new"


def test_of_two_packages_the_one_with_fewer_changes_explains_the_values():
    record = values(
        ("old", "0.100.0", "0.40.0"), ("new", "0.110.0", "0.48.0"), ("old", "0.120.0", "0.40.0")
    )
    assert (record.package, len(record.ranges)) == ("starlette", 2)


def test_python_counts_by_its_minor_version():
    record = values(
        ("no", "0.120.0", "0.40.0", "3.10.13"),
        ("yes", "0.120.0", "0.40.0", "3.12.1"),
        ("yes", "0.100.0", "0.40.0", "3.13.0"),
        ("no", "0.100.0", "0.40.0", "3.10.2"),
    )
    assert record.package == "python"
    assert record.value_for(stack("0.130.0", python="3.10.99")) == "no"


def test_two_packages_explain_what_none_does_alone():
    record = values(
        ("awaited", "0.110.0", "0.40.0", "3.12.1"),
        ("awaited", "0.120.0", "0.48.0", "3.12.1"),
        ("awaited", "0.110.0", "0.40.0", "3.13.0"),
        ("awaited", "0.120.0", "0.40.0", "3.13.0"),
        ("dropped", "0.120.0", "0.48.0", "3.13.0"),
        ("dropped", "0.120.0", "0.50.0", "3.13.0"),
    )
    assert (record.package, record.explained) == ("python", True)
    assert [(str(r.given), r.since, r.value) for r in record.ranges] == [
        ("starlette 0.40.0", "3.12", "awaited"),
        ("starlette 0.48.0 and newer", "3.12", "awaited"),
        ("starlette 0.48.0 and newer", "3.13", "dropped"),
    ]
    assert record.value_for(stack("0.130.0", "0.60.0", "3.14.0")) == "dropped"
    assert record.value_for(stack("0.130.0", "0.60.0", "3.12.9")) == "awaited"
    assert record.value_for(stack("0.130.0", "0.60.0", "3.11.0")) is None


def test_values_that_no_two_packages_explain_are_kept_by_cell(monkeypatch):
    measured = [
        ("a" if number % 2 else "b", f"0.{100 + number}.0", f"0.{40 + number % 3}.0")
        for number in range(12)
    ]
    cells = [
        cell(
            {ID: value},
            {**stack(*versions, python=f"3.{10 + place % 5}.1"), "anyio": f"4.{place % 4}"},
        )
        for place, (value, *versions) in enumerate(
            [*measured, *(("c", v, s) for _, v, s in measured)]
        )
    ]
    record = derive(cells)[ID]
    assert not record.explained
    assert len(record.values) == len({c.name for c in cells})


def test_where_a_probe_does_not_apply_hides_no_range(monkeypatch):
    versions = {
        ("0.105.0", "0.40.0", "3.10.1"): "not applicable",
        ("0.120.0", "0.48.0", "3.10.1"): "not applicable",
        ("0.105.0", "0.40.0", "3.13.0"): "old",
        ("0.120.0", "0.48.0", "3.13.0"): "new",
        ("0.120.0", "0.40.0", "3.12.0"): "old",
    }
    measured = [cell({ID: value}, stack(*found)) for found, value in versions.items()]
    record = derive(measured)[ID]
    assert record.package == "starlette"
    assert [(r.since, r.value, r.given) for r in record.ranges] == [
        ("0.40.0", "old", None),
        ("0.48.0", "new", None),
    ]
    cells = {c.name: c.stack for c in measured}
    monkeypatch.setattr(database, "_stacks", lambda: cells)
    assert record.value_for(stack("0.120.0", "0.48.0", "3.10.7")) == "not applicable"
    assert record.value_for(stack("0.120.0", "0.50.0", "3.10.7")) is None
    assert record.value_for(stack("0.120.0", "0.48.0", "3.13.7")) == "new"


def test_what_was_not_measured_is_not_expected(monkeypatch):
    record = replace(values(("a", "0.105.0")), ranges=(), values={"cell": "not measured"})
    monkeypatch.setattr(database, "_stacks", lambda: {"cell": stack("0.105.0")})
    assert record.value_for(stack("0.105.0")) is None


def test_an_unstable_value_is_never_expected():
    one = cell({ID: "a"}, stack("0.120.0"))
    shaky = replace(
        one,
        observations={ID: replace(one.observations[ID], value="a or b", unstable=True)},
        name="other",
        stack=stack("0.121.0"),
    )
    record = derive([one, shaky])[ID]
    assert record.unstable
    assert record.value_for(stack("0.120.0")) is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_written_twice_gives_the_same_files(tmp_path, order):
    cells = [
        cell({ID: "a"}, stack("0.105.0")),
        cell({ID: "b"}, stack("0.110.0"), ("#1 y",)),
        cell({ID: "b"}, stack("0.111.0"), ("#1 z",)),
    ]
    shuffled = sorted((cells[place] for place in order), key=lambda c: c.name)
    for directory, found in ((tmp_path / "one", cells), (tmp_path / "two", shuffled)):
        write(derive(found), directory)
        write_cells(sorted(found, key=lambda c: c.name), directory)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [f"{ID}.json", "cells.json"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_was_written_is_read_again(tmp_path):
    records = derive([cell({ID: "a"}, stack("0.105.0")), cell({ID: "b"}, stack("0.110.0"))])
    write(records, tmp_path)
    assert load_database(tmp_path) == records
    write_cells([cell({ID: "a"}, stack("0.105.0"))], tmp_path)
    assert load_cells(tmp_path)[0]["stack"]["fastapi"] == "0.105.0"


def test_records_of_probes_that_are_gone_are_deleted(tmp_path):
    write(derive([cell({"BGF-OLD-01": "a"}, stack("0.105.0"))]), tmp_path)
    write(derive([cell({ID: "a"}, stack("0.105.0"))]), tmp_path)
    assert list(load_database(tmp_path)) == [ID]
