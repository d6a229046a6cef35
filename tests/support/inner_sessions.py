"""Make sessions that run inside the tests' own process cheap.

Importing it imports all of bgcheck, and what else most of them need, since pytester takes out of
`sys.modules` what an inner session has imported: each would import, and rewrite the asserts of,
the same hundred modules.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import pkgutil
import sys
import warnings

import pytest

import bgcheck

for _module in pkgutil.walk_packages(bgcheck.__path__, "bgcheck."):
    importlib.import_module(_module.name)
for _name in ("fastapi.telemetry._runtime", "httpx", "unittest.mock", "uvloop"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)


def let_leave_garbage(item: pytest.Item) -> None:
    """Let a test leave open files and connections to the garbage collector.

    What faulty apps have left comes up whenever garbage goes, in the middle of another test.
    """
    for line in ("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"):
        item.add_marker(pytest.mark.filterwarnings(line))


def collect_garbage() -> None:
    """Let go of what the tests of a module have left; for each test it would take too long.

    FastAPI keeps what it has found out about functions, and so whole applications.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "fastapi":
            for value in list(vars(module).values()):
                getattr(value, "cache_clear", int)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):  # what a finalizer lets go of is garbage only then
            gc.collect()
