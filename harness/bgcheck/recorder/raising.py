"""Raise one error or several."""

from __future__ import annotations

import sys
from collections.abc import Sequence

if sys.version_info < (3, 11):
    # It comes with pytest.
    from exceptiongroup import BaseExceptionGroup  # pyright: ignore[reportMissingImports]


def raise_all(errors: Sequence[BaseException]) -> None:
    """Raise the error if there is one, a group in their order if there are several.

    Raises:
        BaseException: the error or the group.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup(f"{len(errors)} background tasks failed", list(errors))
