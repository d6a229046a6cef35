"""The page of each check: what it finds, why it matters, examples, versions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

SECTIONS = ("Why it matters", "Faulty", "Corrected", "Versions")
"""The headings of a page, in order, after the paragraph on what the check finds."""

_EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """The page of one check.

    Attributes:
        title: code and name.
        text: the whole page as Markdown.
        finds: what the check finds.
        sections: the text of each section by heading.
    """

    title: str
    text: str
    finds: str
    sections: dict[str, str]

    def example(self, section: str) -> str:
        """Return the code of the example in a section, `Faulty` or `Corrected`."""
        match = _EXAMPLE.search(self.sections[section])
        if match is None:
            raise ValueError(f"{self.title}: {section} has no example")
        return match[1]


def read_page(code: str) -> Page:
    """Return the page of a check.

    Raises:
        FileNotFoundError: it has none.
    """
    file = resources.files("bgcheck.checks") / "pages" / f"{code}.md"
    text = file.read_text(encoding="utf-8")
    head, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    title, _, finds = head.partition("\n")
    sections = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    return Page(title.removeprefix("# "), text, finds.strip(), sections)
