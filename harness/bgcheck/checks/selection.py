"""Which checks are on, and which findings fail a test in strict mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgcheck.checks.registry import all_checks, check_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bgcheck.checks.base import Check


class Selection:
    """Codes, prefixes, `ALL` and `DEFAULT`: the longest match decides, and ignore wins a tie.

    Args:
        select: what is on; `("DEFAULT",)` is every check that is not opt-in.
        ignore: what is off.
    """

    def __init__(self, select: Sequence[str] = ("DEFAULT",), ignore: Sequence[str] = ()) -> None:
        self.select: tuple[str, ...] = tuple(select) or ("DEFAULT",)
        self.ignore: tuple[str, ...] = tuple(ignore)

    def check(self) -> None:
        """Refuse patterns that match no check.

        Raises:
            ValueError: a pattern matches no check.
        """
        for pattern in (*self.select, *self.ignore):
            check_pattern(pattern)

    def has(self, check: type[Check]) -> bool:
        """Whether a check is on."""
        on = best_match(check.code, self.select)
        if on is None and "DEFAULT" in self.select and check.default != "O":
            on = ""
        off = best_match(check.code, self.ignore)
        return on is not None and (off is None or len(on) > len(off))

    def fails(self, code: str, default: str) -> bool:
        """Whether a finding fails a test in strict mode: an error, or asked for by select."""
        return default == "E" or self.names(code)

    def names(self, code: str) -> bool:
        """Whether select names a check, by its code, a prefix or `ALL`."""
        return best_match(code, self.select) is not None

    def checks(self) -> Iterator[type[Check]]:
        """Yield the checks that are on."""
        return filter(self.has, all_checks())


def best_match(code: str, patterns: Iterable[str]) -> str | None:
    """Return the longest pattern that matches a code; `ALL` counts as the empty prefix.

    Example:
        >>> best_match("BG301", ["ALL", "BG3"]), best_match("BG201", ["BG3"])
        ('BG3', None)
    """
    prefixes = ["" if pattern == "ALL" else pattern for pattern in patterns]
    matching = [p for p in prefixes if p != "DEFAULT" and code.startswith(p)]
    return max(matching, key=len, default=None)
