"""Every Python example of the documentation runs.

A block whose first line is a comment with a file name is that file; every other block is a test
module of its own. A block after `<!-- fails -->` fails, and prints the block of text that follows.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parents[2] / "docs"
CHECKS = DOCS / "checks.md"
"""Written from the pages of the checks, whose examples tests/checks runs."""
CONTRACT = DOCS / "contract.md"
"""Faulty and corrected apps, which test_contract.py verifies."""
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if page not in (CHECKS, CONTRACT) and "```python" in page.read_text("utf-8")
)

BLOCK = re.compile(
    r"(?P<fails><!-- fails -->\n)?```python\n(?P<code>(?:# (?P<file>\w+\.py)\n)?.*?)```\n"
    r"(?:\n```text\n(?P<text>.*?)```\n)?",
    re.DOTALL,
)

INI = """
[pytest]
addopts = -p no:randomly -p no:cacheprovider --strict-markers
asyncio_default_fixture_loop_scope = function
"""


class Example(NamedTuple):
    """One block of Python on a page."""

    file: str
    code: str
    fails: bool
    printed: str


def examples(page: str) -> Iterator[Example]:
    for block in BLOCK.finditer(page):
        line = page.count("\n", 0, block.start("code")) + 1
        yield Example(
            block["file"] or f"test_line_{line}.py",
            block["code"],
            bool(block["fails"]),
            (block["text"] or "") if block["fails"] else "",
        )


def test_there_are_pages():
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, pytester, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    found = list(examples(page.read_text("utf-8")))
    assert len(found) == page.read_text("utf-8").count("```python")
    pytester.makefile(".ini", pytest=INI)
    for example in found:
        (pytester.path / example.file).write_text(example.code, "utf-8")
    result = pytester.runpytest_subprocess("-rN")
    tests = [example.code.count("def test_") for example in found if not example.fails]
    result.assert_outcomes(passed=sum(tests), failed=sum(example.fails for example in found))
    for example in found:
        assert example.printed in result.stdout.str()


PAGE = """
```python
# app.py
x = 1
```

<!-- fails -->
```python
def test_x(): assert 0
```

```text
E  assert 0
```
"""


def test_blocks_are_found_with_their_files_and_output():
    assert list(examples(PAGE)) == [
        Example("app.py", "# app.py\nx = 1\n", False, ""),
        Example("test_line_9.py", "def test_x(): assert 0\n", True, "E  assert 0\n"),
    ]
