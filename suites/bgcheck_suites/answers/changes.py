"""What differs between two sides."""

from dataclasses import dataclass, field

from bgcheck_suites.values import NOT_APPLICABLE, NOT_MEASURED

from .sides import Seen, Side

ABSENT = (NOT_APPLICABLE, "not supported")
"""Values of a probe whose subject is not there yet, or no more."""


@dataclass(frozen=True)
class Change:
    """One probe whose value differs; a side that was not asked has none."""

    id: str
    before: Seen | None
    after: Seen | None

    @property
    def kind(self) -> str:
        """`added` or `removed` where one side has nothing to measure, else `changed`."""
        if _is_absent(self.before):
            return "added"
        return "removed" if _is_absent(self.after) else "changed"


@dataclass
class Difference:
    """What differs between two sides, what does not, and what is too unsure to tell."""

    before: Side
    after: Side
    changes: list[Change] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    @property
    def inconclusive(self) -> str:
        """Why nothing can be told, or an empty string."""
        for side in (self.before, self.after):
            if side.unmeasured:
                return f"{side.name} was not measured: {side.unmeasured}"
        if self.unchanged or any(change.before and change.after for change in self.changes):
            return ""
        return "no probe has a stable value on both sides"


def compare(before: Side, after: Side) -> Difference:
    """Return what differs between two sides; an unstable value is never called a change."""
    found = Difference(before, after)
    for id_ in sorted({*before.seen, *after.seen}):
        left, right = before.seen.get(id_), after.seen.get(id_)
        if not (_tells(left) and _tells(right)):
            found.unsure.append(id_)
        elif _value(left) == _value(right):
            found.unchanged.append(id_)
        else:
            found.changes.append(Change(id_, left, right))
    return found


def _tells(seen: Seen | None) -> bool:
    return seen is None or not (seen.unstable or seen.value == NOT_MEASURED)


def _value(seen: Seen | None) -> str:
    return NOT_APPLICABLE if seen is None else seen.value


def _is_absent(seen: Seen | None) -> bool:
    return seen is None or seen.value in ABSENT
