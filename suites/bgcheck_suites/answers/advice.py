"""The answers of an upgrade in words: plain text, and Markdown for a pull request."""

import textwrap
from collections.abc import Iterator, Sequence

from bgcheck_suites.matrix.database import Range

from .upgrade import Answer, Upgrade
from .used import Used

HEADINGS = {
    "breaks": "No longer holds (MUST)",
    "should-breaks": "No longer holds (SHOULD)",
    "changes": "Changes",
    "improves": "Holds from now on",
}
PASSING = "The same at both ends, but different on the way"
WHY_PASSING = (
    "An upgrade in one step changes nothing here. A release on the way does, and so does a range "
    "of releases that a library supports: what is to do makes the app independent of it."
)
NEW = "New, so that nothing can count on it yet"
SHOWN = 3
INDENT = 16


def text_of(upgrade: Upgrade, used: Used | None, width: int = 100) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for line in _text(upgrade, used):
        yield from _wrapped(line, width)


def _wrapped(line: str, width: int) -> list[str]:
    """Break a line where it is too long; what follows stands under the value that it belongs to."""
    indent = " " * INDENT if line.startswith(" ") else ""
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(line) or [""]


def _text(upgrade: Upgrade, used: Used | None) -> Iterator[str]:
    yield f"{upgrade.before.name} -> {upgrade.after.name}"
    yield _uses(used)
    for heading, answers in _sections(upgrade):
        yield ""
        yield f"{heading}:"
        if heading == PASSING:
            yield WHY_PASSING
        for answer in answers:
            yield from _entry(answer)
    yield from _rest(upgrade)


def _entry(answer: Answer) -> Iterator[str]:
    yield f"  {answer.row.id}  {answer.row.text}"
    for name, value in _facts(answer):
        yield f"      {name:<9} {value}"


def markdown_of(upgrade: Upgrade, used: Used | None) -> Iterator[str]:
    """Yield the lines of a Markdown page."""
    yield f"### `{upgrade.before.name}` to `{upgrade.after.name}`"
    yield ""
    yield _uses(used)
    for heading, answers in _sections(upgrade):
        yield from ("", f"#### {heading}", "")
        if heading == PASSING:
            yield from (WHY_PASSING, "")
        for answer in answers:
            yield f"- **{answer.row.id}** {answer.row.text}"
            yield from (f"  - {name}: {_code(name, value)}" for name, value in _facts(answer))
    yield from _rest(upgrade)


def _code(name: str, value: str) -> str:
    return f"`{value}`" if name in ("before", "after") else value


def _uses(used: Used | None) -> str:
    if used is None:
        return "For every pattern that is measured; --used FILE asks for those of an app."
    listed = ", ".join(f"{pattern} ({count})" for pattern, count in used.patterns())
    places = "place" if len(used.uses) == 1 else "places"
    return f"The app schedules tasks at {len(used.uses)} {places}: {listed or 'none'}"


def _sections(upgrade: Upgrade) -> Iterator[tuple[str, Sequence[Answer]]]:
    for severity, heading in HEADINGS.items():
        answers = [one for one in upgrade.changes if one.severity == severity]
        if answers:
            yield heading, answers
    if upgrade.passing:
        yield PASSING, upgrade.passing


def _facts(answer: Answer) -> Iterator[tuple[str, str]]:
    yield "before", answer.before
    for part in answer.between:
        yield "between", f"{part.value} ({_versions(part)})"
    yield "after", answer.after
    if answer.uses:
        shown = ", ".join(str(use) for use in answer.uses[:SHOWN])
        more = len(answer.uses) - SHOWN
        yield "used by", f"{shown} and {more} more" if more > 0 else shown
    if answer.patterns:
        yield "patterns", ", ".join(answer.patterns)
    yield "to do", answer.todo
    cells = " and ".join([*dict.fromkeys([*answer.cells, *(p.cell for p in answer.between)])])
    yield "evidence", f"{answer.row.id} in {cells}"


def _versions(part: Range) -> str:
    last = "" if part.last == part.since else f" to {part.last}"
    return f"{part.package} {part.since}{last}"


def _rest(upgrade: Upgrade) -> Iterator[str]:
    if upgrade.new:
        yield from ("", f"{NEW}: {', '.join(one.row.id for one in upgrade.new)}")
    if upgrade.unsure:
        listed = ", ".join(row.id for row in upgrade.unsure)
        yield from ("", f"Unstable or not measured, so that nothing can be said: {listed}")
    yield ""
    yield verdict(upgrade)


def verdict(upgrade: Upgrade) -> str:
    """Return the result in one sentence."""
    count, passing = len(upgrade.changes), len(upgrade.passing)
    things = "thing changes" if count == 1 else "things change"
    return f"{count} {things}, {passing} only on the way, {len(upgrade.new)} new"
