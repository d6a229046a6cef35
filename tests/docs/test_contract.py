"""The page of the contract: each faulty example breaks its requirement, each corrected one none."""

import importlib.util
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bgcheck_suites.endpoint.subject import RequestSpec, Subject
from bgcheck_suites.endpoint.verify import VERIFICATIONS, verify
from bgcheck_suites.registry import registry

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text("utf-8")
PREAMBLE = re.search(r"Each example begins with\n\n```python\n(.*?)```", PAGE, re.DOTALL)
SECTION = re.compile(
    r"### (BGC-\w+-\d+)\n\n\*\*(\w+)\*\* (.*?)\n\n.*?Faulty:\n\n```python\n(.*?)```\n\n"
    r"Corrected:\n\n```python\n(.*?)```",
    re.DOTALL,
)
SECTIONS = {match[1]: match for match in SECTION.finditer(PAGE)}
numbers = itertools.count(1)


def subject_of(code: str, where: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """Import an example from a file of its own, and give the request that it is for."""
    assert PREAMBLE is not None
    source = PREAMBLE[1].replace("sqlite:///orders.db", f"sqlite:///{where / 'orders.db'}")
    name = f"contract_example_{next(numbers)}"
    file = where / f"{name}.py"
    file.write_text(source + "\n\n" + code, "utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # a module of the user's, as the checks see it
    spec.loader.exec_module(module)
    body = {"number": 1} if "class Order" in code else None
    return Subject(module.app, RequestSpec("POST /orders", json=body), seeds=3)


def test_the_page_has_each_requirement_in_its_words():
    assert list(SECTIONS) == list(VERIFICATIONS)
    for id_, match in SECTIONS.items():
        assert (match[2], match[3]) == (registry()[id_].level, registry()[id_].text)
        assert f"\n\nOn a queue: {registry()[id_].on_queue}\n\nFaulty:" in match[0]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestWarning")
@pytest.mark.parametrize("id_", VERIFICATIONS)
def test_the_faulty_example_breaks_its_requirement(id_, tmp_path, monkeypatch):
    verdict = verify(subject_of(SECTIONS[id_][4], tmp_path, monkeypatch), id_)
    assert verdict.status == ("warn" if SECTIONS[id_][2] == "SHOULD" else "fail"), verdict


@pytest.mark.parametrize("id_", VERIFICATIONS)
def test_the_corrected_example_holds(id_, tmp_path, monkeypatch):
    assert verify(subject_of(SECTIONS[id_][5], tmp_path, monkeypatch), id_).status == "pass"
